//! A network with latency: a port of this machine whose connections lead to another port, and whose bytes arrive late.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::run::Outcome;

/// Returns the new port. Its connections lead to `to`, and each round trip takes `round_trip` longer. Its threads end
/// with this process.
pub fn open(to: u16, round_trip: Duration) -> Outcome<u16> {
    let failed = |error| format!("cannot open a relay: {error}");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
    let port = listener.local_addr().as_ref().map(SocketAddr::port).map_err(|error| error.to_string())?;
    std::thread::spawn(move || {
        for near in listener.incoming().map_while(Result::ok) {
            // The kernel has accepted the connection without a delay, so the first bytes wait for this round trip too.
            let connected = Instant::now() + round_trip;
            let far = TcpStream::connect((Ipv4Addr::LOCALHOST, to));
            // If a connection fails, both sides are closed, and the measured program reports it.
            if let Ok(far) = far
                && let (Ok(near_too), Ok(far_too)) = (near.try_clone(), far.try_clone())
            {
                forward(near, far_too, connected, round_trip / 2);
                forward(far, near_too, connected, round_trip / 2);
            }
        }
    });
    Ok(port)
}

/// Forwards all bytes and the end, each `delay` after it was sent. Nothing is sent before `connected`.
fn forward(mut from: TcpStream, mut to: TcpStream, connected: Instant, delay: Duration) {
    to.set_nodelay(true).ok();
    let (sender, parts) = channel();
    std::thread::spawn(move || {
        let mut room = vec![0; 1 << 16];
        while let Ok(length) = from.read(&mut room) {
            let part: Vec<u8> = room.iter().copied().take(length).collect();
            if sender.send((Instant::now().max(connected) + delay, part)).is_err() || length == 0 {
                break;
            }
        }
    });
    std::thread::spawn(move || {
        for (due, part) in parts {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&part).is_err() {
                break;
            }
        }
        to.shutdown(Shutdown::Write).ok();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connection_and_each_answer_wait_and_all_bytes_arrive() {
        let (listener, round_trip) = (TcpListener::bind("127.0.0.1:0").unwrap(), Duration::from_millis(40));
        let port = open(listener.local_addr().unwrap().port(), round_trip).unwrap();
        let echo = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            std::io::copy(&mut stream.try_clone().unwrap(), &mut stream).unwrap();
        });
        let began = Instant::now();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut answer = [0; 4];
        for (trips, word) in [(2, b"ping"), (3, b"pong")] {
            stream.write_all(word).unwrap();
            stream.read_exact(&mut answer).unwrap();
            assert!(answer == *word && began.elapsed() >= round_trip * trips, "{trips} {:?}", began.elapsed());
        }
        let all: Vec<u8> = (0..1_000_000_u32).map(|number| (number % 251) as u8).collect();
        let mut back = stream.try_clone().unwrap();
        let reader = std::thread::spawn(move || {
            let mut found = Vec::new();
            back.read_to_end(&mut found).map(|_| found)
        });
        stream.write_all(&all).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert!(reader.join().unwrap().unwrap() == all);
        echo.join().unwrap();
    }
}
