//! How mistakes look: all at once, in the order of their places.

use raincheck_config::{Overrides, load};

fn plain(text: &str) -> String {
    match load(Some(("raincheck.toml", text)), [], &Overrides::default()) {
        Ok(plan) => panic!("no mistake in {plan:?}"),
        Err(errors) => errors.render(false),
    }
}

const ROUTE: &str = "[[route]]\nname = \"r\"\nmatch = \"/\"\nupstream = \"http://b\"\n";

const MANY: &str = r#"[server]
listn = "0.0.0.0:8080"
behind = "api_gateway"

[stroe]
path = "x"

[[route]]
name = "render"
match = "POST /render/{*path"
cache = "10m"

[[route]]
match = "/a"
upstream = "${BACKEND_URL}"
"#;

#[test]
fn everything_at_once_in_the_order_of_the_file() {
    insta::assert_snapshot!(plain(MANY), @r##"
    error: unknown key `listn`
     --> raincheck.toml:2:1
      |
    2 | listn = "0.0.0.0:8080"
      | ^^^^^ did you mean `listen`?

    error: bad value for `behind`: it is not one of the known words
     --> raincheck.toml:3:10
      |
    3 | behind = "api_gateway"
      |          ^^^^^^^^^^^^^ expected one of "alb", "apache", "api-gateway", "azure", "cloudflare", "cloudfront", "envoy", "gcp-lb", "heroku", "http-api", "nginx"; did you mean `api-gateway`?

    error: unknown key `stroe`
     --> raincheck.toml:5:2
      |
    5 | [stroe]
      |  ^^^^^ did you mean `store`?

    error: a route has no `upstream`
     --> raincheck.toml:8:1
      |
    8 | [[route]]
      | ^^^^^^^^^ expected `upstream`: a URL of scheme, host and maybe port, such as "http://127.0.0.1:9000" or "unix:/run/app.sock", an array of them, or the name of an [[upstream]]

    error: bad value for `match`: '{*path' is not a placeholder; expected {name} or {*name} as a whole path segment
      --> raincheck.toml:10:9
       |
    10 | match = "POST /render/{*path"
       |         ^^^^^^^^^^^^^^^^^^^^^ expected "[METHOD[,METHOD]] [host]/path", such as "POST /render/{*path}"

    error: `cache` is not supported by this version
      --> raincheck.toml:11:1
       |
    11 | cache = "10m"
       | ^^^^^

    error: a route has no `name`
      --> raincheck.toml:13:1
       |
    13 | [[route]]
       | ^^^^^^^^^ expected `name`: 1 to 64 letters, digits, '-', '_' or '.'

    error: the environment has no variable `BACKEND_URL`
      --> raincheck.toml:15:12
       |
    15 | upstream = "${BACKEND_URL}"
       |            ^^^^^^^^^^^^^^^^
       |
       = help: write ${NAME:-otherwise} for a value of its own, $${ for a plain ${

    8 errors
    "##);
}

#[test]
fn values_of_a_route() {
    let text = r#"[[route]]
name = "a"
match = "/a"
upstream = "http://127.0.0.1:9000/base"
hold = "25"
timeout = "15 min"
retry = { attempts = 0, on = ["connect", "5x"] }
mode = "asynch"
on_hold = "redirected"
"#;
    insta::assert_snapshot!(plain(text), @r##"
    error: bad value for `upstream`: a path cannot stand in it
     --> raincheck.toml:4:12
      |
    4 | upstream = "http://127.0.0.1:9000/base"
      |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ expected a URL of scheme, host and maybe port, such as "http://127.0.0.1:9000" or "unix:/run/app.sock", an array of them, or the name of an [[upstream]]
      |
      = help: a path before that of each request is written as `add_prefix`

    error: bad value for `hold`: a unit is missing
     --> raincheck.toml:5:8
      |
    5 | hold = "25"
      |        ^^^^ expected a duration such as "500ms", "29s", "1m30s", "15m" or "24h", above zero

    error: bad value for `timeout`: it is no number with a unit
     --> raincheck.toml:6:11
      |
    6 | timeout = "15 min"
      |           ^^^^^^^^ expected a duration such as "500ms", "29s", "1m30s", "15m" or "24h", or "none"

    error: bad value for `attempts`: 0 is too small
     --> raincheck.toml:7:22
      |
    7 | retry = { attempts = 0, on = ["connect", "5x"] }
      |                      ^ expected a whole number of at least 1

    error: bad value for `on`: it is not one of the known words
     --> raincheck.toml:7:42
      |
    7 | retry = { attempts = 0, on = ["connect", "5x"] }
      |                                          ^^^^ expected an array of some of "connect", "timeout", "5xx", "429"; did you mean `5xx`?

    error: bad value for `mode`: it is not one of the known words
     --> raincheck.toml:8:8
      |
    8 | mode = "asynch"
      |        ^^^^^^^^ expected one of "sync", "auto", "async"; did you mean `async`?

    error: bad value for `on_hold`: it is not one of the known words
     --> raincheck.toml:9:11
      |
    9 | on_hold = "redirected"
      |           ^^^^^^^^^^^^ expected one of "ticket", "redirect"; did you mean `redirect`?

    7 errors
    "##);
}

#[test]
fn contradictions_show_both_places() {
    let text = r#"[server]
listen = "0.0.0.0:8080"

[admin]
listen = "127.0.0.1:8080"

[[route]]
name = "a"
match = "/a/{id}"
upstream = "http://localhost:8080"

[[route]]
name = "b"
match = "/a/{name}"
upstream = "http://b"
"#;
    insta::assert_snapshot!(plain(text), @r##"
    error: the admin listener and the server both want 127.0.0.1:8080
     --> raincheck.toml:5:10
      |
    2 | listen = "0.0.0.0:8080"
      |          -------------- the server listens here
    ...
    5 | listen = "127.0.0.1:8080"
      |          ^^^^^^^^^^^^^^^^
      |
      = help: give admin.listen another port, or "off"

    error: route 'a' sends its requests back to this gateway
      --> raincheck.toml:10:12
       |
     2 | listen = "0.0.0.0:8080"
       |          -------------- it listens here
    ...
    10 | upstream = "http://localhost:8080"
       |            ^^^^^^^^^^^^^^^^^^^^^^^

    error: this matches the same requests as route 'a'
      --> raincheck.toml:14:9
       |
     9 | match = "/a/{id}"
       |         --------- the earlier route
    ...
    14 | match = "/a/{name}"
       |         ^^^^^^^^^^^

    3 errors
    "##);
}

#[test]
fn times_that_contradict_each_other() {
    let text =
        format!("server.behind = \"api-gateway\"\n{ROUTE}hold = \"40s\"\ntimeout = \"30s\"\n");
    insta::assert_snapshot!(plain(&text), @r##"
    error: no client of route 'r' can get a ticket: the hold of 40s is not shorter than the timeout of 30s
     --> raincheck.toml:6:8
      |
    6 | hold = "40s"
      |        ^^^^^
    7 | timeout = "30s"
      |           ----- the other time
      |
      = help: make `hold` shorter than `timeout`, or say mode = "sync" if nobody shall get a ticket

    warning: API Gateway (REST) gives up after 29s, before the hold of 40s ends
     --> raincheck.toml:6:8
      |
    1 | server.behind = "api-gateway"
      |                 ------------- what stands in front
    ...
    6 | hold = "40s"
      |        ^^^^^
      |
      = help: leave `hold` out for 25s, or raise the edge's own timeout and drop `behind`

    1 error, 1 warning
    "##);
}

#[test]
fn what_is_not_toml_does_not_hide_the_rest() {
    let text = format!(
        "[server]\nlisten = 0.0.0.0:8080\nkeep_alive = 75\ngrace =\n{ROUTE}hold = 1.5\nhold = \"1s\"\n"
    );
    insta::assert_snapshot!(plain(&text), @r##"
    error: not TOML: invalid float, expected nothing
     --> raincheck.toml:2:13
      |
    2 | listen = 0.0.0.0:8080
      |             ^^^^^^^^^

    error: bad value for `keep_alive`: a unit is missing
     --> raincheck.toml:3:14
      |
    3 | keep_alive = 75
      |              ^^ expected a duration such as "500ms", "29s", "1m30s", "15m" or "24h", above zero
      |
      = help: write "75s" for seconds

    error: not TOML: string values must be quoted, expected literal string
     --> raincheck.toml:4:8
      |
    4 | grace =
      |        ^

    error: bad value for `hold`: found a float
     --> raincheck.toml:9:8
      |
    9 | hold = 1.5
      |        ^^^ expected a duration such as "500ms", "29s", "1m30s", "15m" or "24h", above zero

    error: not TOML: duplicate key
      --> raincheck.toml:10:1
       |
    10 | hold = "1s"
       | ^^^^

    5 errors
    "##);
}

#[test]
fn keys_in_the_wrong_place_are_sent_home() {
    let text = "listen = \"0.0.0.0:8080\"\nroute = 3\n[server]\nupstream = \"http://b\"\ntls = true\n[defaults]\nname = \"x\"\nattempts = 3\n[limits]\nconcurency = 3\n[log]\nlevel = [\"info\"]\n";
    insta::assert_snapshot!(plain(text), @r##"
    error: unknown key `listen`
     --> raincheck.toml:1:1
      |
    1 | listen = "0.0.0.0:8080"
      | ^^^^^^
      |
      = help: this is a key of [server]

    error: `route` is a list of tables: found an integer
     --> raincheck.toml:2:9
      |
    2 | route = 3
      |         ^ expected [[route]], once for each route

    error: unknown key `upstream`
     --> raincheck.toml:4:1
      |
    4 | upstream = "http://b"
      | ^^^^^^^^
      |
      = help: this is a key of [[route]] and [defaults]

    error: unknown key `tls`
     --> raincheck.toml:5:1
      |
    5 | tls = true
      | ^^^ did you mean `tls_reload`?
      |
      = help: this is a key of a table in `listen`, as in [[server.listen]]

    error: `name` cannot be common to all routes
     --> raincheck.toml:7:1
      |
    7 | name = "x"
      | ^^^^
      |
      = help: write it in each [[route]]

    error: unknown key `attempts`
     --> raincheck.toml:8:1
      |
    8 | attempts = 3
      | ^^^^^^^^
      |
      = help: this is a key of `retry` in a [[route]]

    error: unknown key `concurency`
      --> raincheck.toml:10:1
       |
    10 | concurency = 3
       | ^^^^^^^^^^ did you mean `concurrency`?

    error: bad value for `level`: found an array
      --> raincheck.toml:12:9
       |
    12 | level = ["info"]
       |         ^^^^^^^^ expected one of "error", "warn", "info", "debug", "trace"

    8 errors
    "##);
}

#[test]
fn numbers_out_of_range() {
    let text = format!(
        "[server]\nmax_connections = -1\nmax_request_head = \"4 KiB\"\nheader_timeout = \"0s\"\n{ROUTE}concurrency = 99999999999\nqueue = 1e3\nmax_request = -5\nretention = \"4000d\"\n"
    );
    insta::assert_snapshot!(plain(&text), @r##"
    error: bad value for `max_connections`: -1 is too small
     --> raincheck.toml:2:19
      |
    2 | max_connections = -1
      |                   ^^ expected a whole number of at least 1

    error: bad value for `max_request_head`: 4 KiB is out of range
     --> raincheck.toml:3:20
      |
    3 | max_request_head = "4 KiB"
      |                    ^^^^^^^ expected a size from "8 KiB" to "1 MiB"

    error: bad value for `header_timeout`: zero is no time at all
     --> raincheck.toml:4:18
      |
    4 | header_timeout = "0s"
      |                  ^^^^ expected a duration such as "500ms", "29s", "1m30s", "15m" or "24h", above zero

    error: bad value for `concurrency`: 99999999999 is too large
     --> raincheck.toml:9:15
      |
    9 | concurrency = 99999999999
      |               ^^^^^^^^^^^ expected a whole number of at least 1

    error: bad value for `queue`: found a float
      --> raincheck.toml:10:9
       |
    10 | queue = 1e3
       |         ^^^ expected a whole number of at least 1

    error: bad value for `max_request`: it is out of range
      --> raincheck.toml:11:15
       |
    11 | max_request = -5
       |               ^^ expected a size such as "64 KiB", "10 MiB", "1 GiB" or a number of bytes

    error: bad value for `retention`: it is too large
      --> raincheck.toml:12:13
       |
    12 | retention = "4000d"
       |             ^^^^^^^ expected a duration such as "500ms", "29s", "1m30s", "15m" or "24h", above zero

    7 errors
    "##);
}
