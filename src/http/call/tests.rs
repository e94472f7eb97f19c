//! Answers in each framing: in one piece, in several pieces, cut off at each byte, and mutated.

use fastrand::Rng;
use ureq::unversioned::transport::Buffers;

use super::*;
use crate::http::buffers::WipedBuffers;
use crate::http::{INPUT_BUFFER, OUTPUT_BUFFER};
use crate::secret::property::for_each_seed;

/// A server that sends an answer in pieces and then ends the connection. The pieces have these sizes in turn.
struct Server {
    buffers: WipedBuffers,
    answer: Vec<u8>,
    sizes: Vec<usize>,
    reads: usize,
    sent: Vec<Vec<u8>>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Server")
    }
}

impl Transport for Server {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        let output = self.buffers.output()[..amount].to_vec();
        self.sent.push(output);
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
        let size = self.sizes[self.reads % self.sizes.len()];
        self.reads += 1;
        assert!(self.reads < 400_000, "the client never stops reading");
        let room = self.buffers.input_append_buf();
        let piece = self.answer.drain(..size.min(room.len()).min(self.answer.len()));
        let amount = piece.len();
        room.iter_mut().zip(piece).for_each(|(to, from)| *to = from);
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        false
    }

    fn is_tls(&self) -> bool {
        true
    }
}

fn server(answer: &[u8], sizes: Vec<usize>) -> Server {
    let buffers = WipedBuffers::new(INPUT_BUFFER, OUTPUT_BUFFER);
    Server { buffers, answer: answer.to_vec(), sizes, reads: 0, sent: Vec::new() }
}

fn post(length: usize) -> Request<()> {
    let post = Request::post("https://gate.test/token?default").header("Content-Type", "application/json");
    post.header("Content-Length", length).body(()).unwrap()
}

/// The status and the body of an answer, or the error.
fn outcome(answer: &[u8], sizes: Vec<usize>) -> Result<(u16, Vec<u8>), String> {
    let mut server = server(answer, sizes);
    let result = send(&mut server, post(2), b"{}").and_then(|(head, rest)| {
        let body = rest.read(&mut server)?;
        Ok((head.status().as_u16(), body.to_vec()))
    });
    result.map_err(|error| error.to_string())
}

const PIECES: [usize; 4] = [usize::MAX, 1, 7, 1000];

fn chunked(body: &[u8], size: usize, extension: &str, trailers: &str) -> Vec<u8> {
    let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in body.chunks(size) {
        answer.extend(format!("{:x}{extension}\r\n", chunk.len()).as_bytes());
        answer.extend([chunk, b"\r\n"].concat());
    }
    answer.extend(format!("0\r\n{trailers}\r\n").as_bytes());
    answer
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    [head.replace('|', "\r\n").as_bytes(), b"\r\n\r\n", body].concat()
}

#[test]
fn the_head_of_the_request_is_sent_before_its_body() {
    let body = vec![b'x'; OUTPUT_BUFFER + 1];
    let mut server = server(b"HTTP/1.1 204 No\r\n\r\n", vec![usize::MAX]);
    send(&mut server, post(body.len()), &body).unwrap();
    let head = "POST /token?default HTTP/1.1\r\nhost: gate.test\r\ncontent-type: application/json\r\n\
                content-length: 8193\r\n\r\n";
    assert_eq!(server.sent.iter().map(Vec::len).collect::<Vec<_>>(), [head.len(), OUTPUT_BUFFER, 1]);
    assert_eq!(server.sent.concat(), [head.as_bytes(), &body].concat());
}

#[test]
fn an_answer_is_the_same_in_each_framing_and_in_pieces_of_each_size() {
    let hints = "HTTP/1.1 103 Early Hints|Link: x||".repeat(50);
    for (status, wanted, sent) in [
        (200, "{}", answer("HTTP/1.1 200 OK|Content-Length: 2", b"{}HTTP/1.1 500 no")),
        (200, "{}", answer("HTTP/1.1 200 OK|Content-Length: 2|Content-Length: 2", b"{}")),
        (200, "{}", answer("HTTP/1.1 200 OK", b"{}")),
        (200, "{}", answer("HTTP/1.0 200 OK", b"{}")),
        (200, "{}", answer("HTTP/1.0 200 OK|Transfer-Encoding: chunked|Content-Length: 2", b"{}")),
        (200, "", answer("HTTP/1.1 200 OK|Content-Length: 0", b"{}")),
        (204, "", answer("HTTP/1.1 204 No|Content-Length: 2", b"{}")),
        (304, "", answer("HTTP/1.1 304 No|Content-Length: 2", b"")),
        (200, "{}", answer("HTTP/1.1 100 Continue||HTTP/1.1 200 OK|Content-Length: 2", b"{}")),
        (200, "{}", answer(&format!("{hints}HTTP/1.1 200 OK|Content-Length: 2"), b"{}")),
        (200, "{}", chunked(b"{}", 1, "", "")),
        (200, "{}", chunked(b"{}", 2, ";a=b", "X: y\r\nZ: w\r\n")),
        (
            200,
            "{}",
            answer("HTTP/1.1 200 OK|Transfer-Encoding: gzip, chunked|Content-Length: 1", b"2\r\n{}\r\n0\r\n\r\n"),
        ),
        (200, "{}", answer("HTTP/1.1 200 OK|Transfer-Encoding: chunked", b"2\r\n{}\r\n0\r\n")), // and the end
        (302, "{}", answer("HTTP/1.1 302 Found|Location: /|Content-Length: 2", b"{}")),
    ] {
        for size in PIECES {
            let wanted = Ok((status, wanted.as_bytes().to_vec()));
            assert_eq!(outcome(&sent, vec![size]), wanted, "{}, by {size}", sent.escape_ascii());
        }
    }
}

#[test]
fn a_body_of_64_kib_is_the_longest_in_each_framing() {
    for length in [BODY_MAX, BODY_MAX + 1] {
        let body = vec![b'x'; length];
        for sent in [
            answer(&format!("HTTP/1.1 200 OK|Content-Length: {length}"), &body),
            answer("HTTP/1.1 200 OK", &body),
            chunked(&body, length, "", ""),
            chunked(&body, 1000, "", ""),
            chunked(&body, BODY_MAX, "", "X: y\r\n"),
        ] {
            for size in PIECES {
                let read = outcome(&sent, vec![size]).map(|(_, body)| body.len());
                match length {
                    BODY_MAX => assert_eq!(read, Ok(BODY_MAX)),
                    _ => assert_eq!(read, Err(Error::BodyExceedsLimit(BODY_MAX as u64).to_string())),
                }
            }
        }
    }
}

#[test]
fn an_answer_with_a_length_is_an_error_if_it_is_cut_off_anywhere() {
    let framed = [answer("HTTP/1.1 200 OK|Content-Length: 2", b"{}"), chunked(b"{}", 1, ";a", "")];
    for (sent, whole) in framed.iter().zip([0, "\r\n".len()]) {
        for cut in 0..sent.len() - whole {
            for size in PIECES {
                let error = outcome(&sent[..cut], vec![size]).unwrap_err();
                assert_eq!(error, super::cut().to_string(), "{} by {size}", sent[..cut].escape_ascii());
            }
        }
    }
}

#[test]
fn an_endless_answer_is_refused() {
    let endless = "a".repeat(INPUT_BUFFER);
    for sent in [
        answer(&format!("HTTP/1.1 200 OK|X: {endless}"), b""),
        answer(&format!("HTTP/1.1 103 Early Hints|X: {endless}"), b""),
        chunked(b"{}", 1, &format!(";{endless}"), ""),
        chunked(b"{}", 1, "", &endless),
        answer("HTTP/1.1 200 OK|Transfer-Encoding: chunked", endless.as_bytes()),
    ] {
        for size in PIECES {
            assert!(outcome(&sent, vec![size]).is_err(), "{}", sent[..60].escape_ascii());
        }
    }
}

#[test]
fn no_answer_causes_a_panic_and_the_result_does_not_depend_on_the_pieces() {
    const PARTS: [&str; 16] = [
        "\r\n",
        "\n",
        "\r",
        "0\r\n\r\n",
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "HTTP/1.0 ",
        "HTTP/1.1 ",
        "HTTP/1.1 100 C\r\n\r\n",
        "204",
        "503",
        "\0",
        "\u{ff}",
        ";",
        ":",
        "f",
    ];
    let sent = [
        answer("HTTP/1.1 200 OK|Content-Length: 15|X: y", b"{\"id_token\":\"\"}"),
        answer("HTTP/1.1 103 Early Hints|Link: x||HTTP/1.1 401 No|Retry-After: 5", b"{}"),
        chunked(b"{\"id_token\":\"x\"}", 5, ";a=b", "X: y\r\n"),
    ];
    let mutated = |rng: &mut Rng| {
        let mut bytes = rng.choice(&sent).unwrap().clone();
        for _ in 0..rng.usize(0..5) {
            let at = rng.usize(..=bytes.len());
            match rng.u8(..4) {
                0 => drop(bytes.drain(at..bytes.len().min(at + 5))),
                1 => bytes.truncate(at),
                2 => bytes.insert(at, rng.u8(..)),
                _ => drop(bytes.splice(at..at, rng.choice(PARTS).unwrap().bytes())),
            }
        }
        bytes
    };
    for_each_seed(5_000, |rng, seed| {
        let bytes = mutated(rng);
        let sizes = (0..4).map(|_| rng.usize(1..20)).collect();
        let (whole, pieces) = (outcome(&bytes, vec![usize::MAX]), outcome(&bytes, sizes));
        assert_eq!(whole.is_ok(), pieces.is_ok(), "DL_AUTH_TEST_SEED={seed} {}", bytes.escape_ascii());
        assert!(whole.is_err() || whole == pieces, "DL_AUTH_TEST_SEED={seed} {}", bytes.escape_ascii());
    });
}
