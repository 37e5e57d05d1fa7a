"""Every kind of gRPC call to the address in the first argument; ends with `all is well`."""

import queue
import sys

import grpc

channel = grpc.insecure_channel(sys.argv[1])

unary = channel.unary_unary("/test.Echo/Unary")
answer, call = unary.with_call(b"hello", metadata=(("x-sent", "value"),), timeout=20)
assert answer == b"unary hello", answer
trailing = dict(call.trailing_metadata())
assert trailing.get("x-seen") == "value", trailing
assert call.code() == grpc.StatusCode.OK, call.code()

try:
    unary(b"fail", timeout=20)
except grpc.RpcError as error:
    assert error.code() == grpc.StatusCode.NOT_FOUND, error
    assert error.details() == "there is no such thing", error
else:
    raise AssertionError("an error was lost")

big = b"x" * 3_000_000
assert unary(big, timeout=20) == b"unary " + big

stream = channel.unary_stream("/test.Echo/ServerStream")
assert list(stream(b"a", timeout=20)) == [b"%d a" % turn for turn in range(5)]

gather = channel.stream_unary("/test.Echo/ClientStream")
assert gather(iter([b"a", b"b", b"c"]), timeout=20) == b"a+b+c"

# The next request is sent only after the answer to the one before.
requests = queue.Queue()
both = channel.stream_stream("/test.Echo/Both")
answers = both(iter(requests.get, None), timeout=20)
for turn in range(3):
    requests.put(b"%d" % turn)
    assert next(answers) == b"echo %d" % turn
requests.put(None)
assert list(answers) == []

forever = channel.unary_stream("/test.Echo/Forever")(b"", timeout=20)
assert next(forever) == b"begun"
forever.cancel()

many = [unary.future(b"%d" % turn, timeout=20) for turn in range(200)]
assert [one.result() for one in many] == [b"unary %d" % turn for turn in range(200)]

print("all is well", flush=True)
