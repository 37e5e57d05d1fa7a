import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

/** Posts once with Java's own client and prints what came in the end. */
class Follow {
    public static void main(String[] args) throws Exception {
        var client = HttpClient.newBuilder().followRedirects(HttpClient.Redirect.NORMAL).build();
        var request = HttpRequest.newBuilder(URI.create(args[0]))
                .POST(HttpRequest.BodyPublishers.ofString("order 7")).build();
        var answer = client.send(request, HttpResponse.BodyHandlers.ofString());
        var redirects = answer.previousResponse().isPresent() ? 1 : 0;
        System.out.println(answer.statusCode() + " " + redirects + " " + answer.body());
    }
}
