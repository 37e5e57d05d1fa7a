"""A gRPC server without generated code: bytes in, bytes out. Prints `port N`."""

from concurrent import futures

import grpc


def unary(request, context):
    if request == b"fail":
        context.abort(grpc.StatusCode.NOT_FOUND, "there is no such thing")
    seen = dict(context.invocation_metadata())
    context.set_trailing_metadata((("x-seen", seen.get("x-sent", "")), ("x-more", "1")))
    return b"unary " + request


def server_stream(request, context):
    for turn in range(5):
        yield b"%d " % turn + request


def client_stream(requests, context):
    return b"+".join(requests)


def both(requests, context):
    # Each answer follows its request: nothing may wait for the end of a side.
    for request in requests:
        yield b"echo " + request


def forever(request, context):
    ended = futures.Future()
    context.add_callback(lambda: ended.set_result(None))
    yield b"begun"
    ended.result(timeout=30)
    print("cancelled", flush=True)


HANDLERS = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "ServerStream": grpc.unary_stream_rpc_method_handler(server_stream),
    "ClientStream": grpc.stream_unary_rpc_method_handler(client_stream),
    "Both": grpc.stream_stream_rpc_method_handler(both),
    "Forever": grpc.unary_stream_rpc_method_handler(forever),
}

server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", HANDLERS),))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(f"port {port}", flush=True)
server.wait_for_termination()
