// An echo server on Boost.Beast, on one thread. It follows the example websocket_server_async of its documentation.

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>

#include <cstdlib>
#include <iostream>
#include <memory>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using tcp = asio::ip::tcp;

class Session : public std::enable_shared_from_this<Session> {
    websocket::stream<tcp::socket> stream;
    beast::flat_buffer buffer;

public:
    explicit Session(tcp::socket &&transport) : stream(std::move(transport)) {
        stream.next_layer().set_option(tcp::no_delay(true));
        // A message must come back in one frame. Otherwise it would be cut into frames of 4 KiB.
        stream.auto_fragment(false);
    }

    void open() {
        stream.async_accept([self = shared_from_this()](beast::error_code error) {
            if (!error) self->read();
        });
    }

private:
    void read() {
        stream.async_read(buffer, [self = shared_from_this()](beast::error_code error, std::size_t) {
            if (!error) self->write();
        });
    }

    void write() {
        stream.text(stream.got_text());
        stream.async_write(buffer.data(), [self = shared_from_this()](beast::error_code error, std::size_t) {
            if (error) return;
            self->buffer.consume(self->buffer.size());
            self->read();
        });
    }
};

static void accept(tcp::acceptor &acceptor) {
    acceptor.async_accept([&acceptor](beast::error_code error, tcp::socket transport) {
        if (!error) std::make_shared<Session>(std::move(transport))->open();
        accept(acceptor);
    });
}

int main() {
    // One thread needs no locks.
    asio::io_context context(1);
    tcp::acceptor acceptor(context, {asio::ip::make_address("127.0.0.1"), 0});
    std::cout << "listening on http://127.0.0.1:" << acceptor.local_endpoint().port() << "/" << std::endl;
    accept(acceptor);
    context.run();
    return EXIT_SUCCESS;
}
