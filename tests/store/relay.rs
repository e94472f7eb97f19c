//! A slow network between the processes and a server.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// Relays connections to this port of 127.0.0.1, and delays what each side sends. Returns its own port. It ends with
/// the process.
pub fn delay(server: u16, by: Duration) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
            for (from, to) in [(&client, &server), (&server, &client)] {
                let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                std::thread::spawn(move || forward(from, to, by));
            }
        }
    });
    port
}

/// Copies until one side closes. The protocol is questions and answers, so one delay for each piece is enough.
fn forward(mut from: TcpStream, mut to: TcpStream, by: Duration) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        std::thread::sleep(by);
        if to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    to.shutdown(std::net::Shutdown::Write).ok();
}
