//! A tunnel through an HTTP proxy: CONNECT (RFC 9110, section 9.3.6).

use std::io::{self, Read, Write};

use zeroize::Zeroizing;

use crate::secret::Secret;

/// The maximum size of the head of an answer, in bytes.
const HEAD_MAX: usize = 64 << 10;

/// Why there is no tunnel.
#[derive(Debug)]
pub enum Refused {
    /// The connection to the proxy broke, or its deadline passed.
    Io(io::Error),
    /// The proxy closed the connection before its answer was complete.
    Closed,
    /// The proxy did not send an HTTP/1 answer, or the head of its answer is too long.
    NotHttp,
    /// The proxy answered with this status.
    Status(u16, Login),
}

/// The authentication that a proxy requires.
#[derive(Debug, PartialEq, Eq)]
pub struct Login {
    /// Whether it accepts Basic. If it names no scheme, it may accept Basic.
    pub basic: bool,
    /// The other schemes that it names. Only known schemes are listed.
    pub others: Vec<&'static str>,
}

/// Requests a tunnel to `target`, which is `host:port`. Afterwards, the connection is the tunnel. Returns the bytes
/// that were read after the answer's head.
pub fn open(
    proxy: &mut (impl Read + Write),
    target: &str,
    user_agent: &str,
    authorization: Option<&Secret>,
) -> Result<Vec<u8>, Refused> {
    let user = authorization.map(Secret::expose);
    proxy.write_all(&request(target, user_agent, user)).map_err(Refused::Io)?;
    let mut received = Vec::new();
    read_answer(proxy, &mut received).map_err(|refused| match status(&received) {
        // A refusal counts even if the rest of the answer cannot be read. So the user is not sent again.
        Some(status) if status >= 300 => Refused::Status(status, login(&received)),
        _ => refused,
    })
}

/// Reads answers until the last one's head is complete and opens the tunnel. `received` is the last answer so far.
fn read_answer(proxy: &mut impl Read, received: &mut Vec<u8>) -> Result<Vec<u8>, Refused> {
    let mut buffer = [0; 2048];
    loop {
        let amount = match proxy.read(&mut buffer) {
            Ok(amount) => amount,
            // TLS reports this error if a connection ends without `close_notify`.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            Err(error) => return Err(Refused::Io(error)),
        };
        if amount == 0 {
            return Err(Refused::Closed);
        }
        // The empty line may begin up to three bytes before the new bytes. Earlier bytes are not searched again, so an
        // answer that arrives byte by byte is not expensive.
        let mut from = received.len().saturating_sub(3);
        received.extend_from_slice(buffer.get(..amount).unwrap_or_default());
        while let Some(head) = head(received, from) {
            let rest = received.split_off(head);
            match status(received) {
                Some(100..=199) => (*received, from) = (rest, 0), // an interim answer: another one follows
                Some(200..=299) => return Ok(rest),
                _ => return Err(Refused::NotHttp), // `open` replaces this error if there is a status
            }
        }
        if received.len() > HEAD_MAX || !could_be_http(received) {
            return Err(Refused::NotHttp);
        }
    }
}

/// The request. Its size is known beforehand, so that no copy of the proxy's password is left behind.
fn request(target: &str, user_agent: &str, authorization: Option<&str>) -> Zeroizing<Vec<u8>> {
    let start = ["CONNECT ", target, " HTTP/1.1\r\nHost: ", target, "\r\nUser-Agent: ", user_agent];
    let user = authorization.map(|value| ["\r\nProxy-Authorization: ", value]);
    let pieces = start.iter().chain(user.iter().flatten()).chain(&["\r\nProxy-Connection: Keep-Alive\r\n\r\n"]);
    let mut request = Zeroizing::new(Vec::with_capacity(pieces.clone().map(|piece| piece.len()).sum()));
    pieces.for_each(|piece| request.extend_from_slice(piece.as_bytes()));
    request
}

/// The length of the head at the start of these bytes, including its empty line; `None` if the head is not complete.
/// The search for the empty line starts at `from`. Lines may end without CR (RFC 9112, section 2.2).
fn head(bytes: &[u8], from: usize) -> Option<usize> {
    let new = bytes.get(from..)?.iter().enumerate();
    let line_ends = new.filter(|(_, byte)| **byte == b'\n').map(|(at, _)| from + at + 1);
    line_ends.into_iter().find_map(|at| match bytes.get(at..)? {
        [b'\n', ..] => Some(at + 1),
        [b'\r', b'\n', ..] => Some(at + 2),
        _ => None,
    })
}

/// Whether these bytes can be the start of an answer. If they are a TLS alert or a page, the caller must not wait for
/// more.
fn could_be_http(bytes: &[u8]) -> bool {
    bytes.iter().zip(b"HTTP/1.").all(|(byte, wanted)| byte == wanted)
}

/// The status in the first line of an HTTP/1 answer; `None` if its three digits have not arrived (RFC 9112, section 4).
pub fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.strip_prefix(b"HTTP/1.")?.get(1..)?;
    let code = line.trim_ascii_start();
    let (digits, end) = (code.get(..3)?, code.get(3)?);
    let whole = code.len() < line.len() && end.is_ascii_whitespace() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| whole)?.parse().ok().filter(|status| *status >= 100)
}

/// The schemes of the IANA registry, and NTLM. Only these are named: a proxy may write anything.
const SCHEMES: [&str; 9] =
    ["Negotiate", "NTLM", "Kerberos", "Digest", "Bearer", "Mutual", "SCRAM-SHA-1", "SCRAM-SHA-256", "HOBA"];

/// The authentication schemes in the `Proxy-Authenticate` headers of an answer (RFC 9110, section 11.7.1).
fn login(answer: &[u8]) -> Login {
    let mut login = Login { basic: true, others: Vec::new() };
    let mut first = true;
    for line in answer.split(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        let Some((name, challenges)) = line.split_once(':') else { continue };
        if !name.trim().eq_ignore_ascii_case("proxy-authenticate") {
            continue;
        }
        login.basic &= !std::mem::take(&mut first);
        // Quoted strings may contain commas. So every second piece between quotes is ignored.
        let unquoted: String = challenges.split('"').step_by(2).collect();
        for word in unquoted.split(',').filter_map(|challenge| challenge.split_whitespace().next()) {
            login.basic |= word.eq_ignore_ascii_case("basic");
            let known = SCHEMES.into_iter().find(|known| known.eq_ignore_ascii_case(word));
            login.others.extend(known.filter(|known| !login.others.contains(known)));
        }
    }
    login
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A proxy that sends one of these pieces for each read, and records what it receives.
    struct Proxy {
        pieces: Vec<Vec<u8>>,
        sent: Vec<u8>,
    }

    impl Read for Proxy {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.pieces.is_empty() {
                return Ok(0);
            }
            let piece = self.pieces.remove(0);
            buffer[..piece.len()].copy_from_slice(&piece);
            Ok(piece.len())
        }
    }

    impl Write for Proxy {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.sent.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The result of an answer, in one piece and byte by byte: the bytes after it, or the debug form of the refusal.
    fn outcome(answer: &[u8]) -> Result<Vec<u8>, String> {
        let mut outcomes = [1 << 10, 1].map(|size| {
            let mut proxy = Proxy { pieces: answer.chunks(size).map(<[u8]>::to_vec).collect(), sent: Vec::new() };
            let opened = open(&mut proxy, "gate.test:443", "dl_auth/1", None);
            let rest = proxy.pieces.concat();
            opened.map(|early| [early, rest].concat()).map_err(|refused| format!("{refused:?}"))
        });
        let last = outcomes[1].clone();
        assert_eq!(outcomes[0], last, "the pieces make no difference");
        std::mem::replace(&mut outcomes[0], Ok(Vec::new()))
    }

    #[test]
    fn the_request_names_the_target_and_the_user() {
        let mut proxy = Proxy { pieces: vec![b"HTTP/1.1 200 OK\r\n\r\n".to_vec()], sent: Vec::new() };
        let user = Secret::new("Basic dTpw".to_owned());
        open(&mut proxy, "[::1]:443", "dl_auth/1", Some(&user)).unwrap();
        let wanted = "CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\nUser-Agent: dl_auth/1\r\n\
                      Proxy-Authorization: Basic dTpw\r\nProxy-Connection: Keep-Alive\r\n\r\n";
        assert_eq!(String::from_utf8(proxy.sent).unwrap(), wanted);
        let request = request("[::1]:443", "dl_auth/1", Some("Basic dTpw"));
        assert_eq!(request.capacity(), request.len(), "it never moves");
    }

    #[test]
    fn every_2xx_opens_the_tunnel_and_the_bytes_after_its_head_are_kept() {
        let forty = "X-Corp: v\r\n".repeat(40);
        let big = format!("X-Big: {}\r\n", "x".repeat(20_000));
        for head in [
            "HTTP/1.1 200 Connection established\r\n\r\n",
            "HTTP/1.0 200 Connection established\r\n\r\n",
            "HTTP/1.1 200\r\n\r\n",
            "HTTP/1.1 200 \r\n\r\n",
            "HTTP/1.1 200 OK\n\n",
            "HTTP/1.1 201 Created\r\n\r\n",
            "HTTP/1.1 299 Ok\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 200 OK\r\nVia: a\r\n b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX (y): z\r\nX : y\r\nno colon\r\nX: \0\r\n\r\n",
            &format!("HTTP/1.1 200 OK\r\n{forty}\r\n"),
            &format!("HTTP/1.1 200 OK\r\n{big}\r\n"),
        ] {
            assert_eq!(outcome(head.as_bytes()), Ok(Vec::new()), "{head}");
            let early = [head.as_bytes(), b"\x16early\r\n\r\n"].concat();
            assert_eq!(outcome(&early).as_deref(), Ok(&b"\x16early\r\n\r\n"[..]), "{head}");
        }
        assert_eq!(outcome(b"HTTP/1.1 200 Verbindung \xfc\r\nVia: 1.1 M\xfcnchen\r\n\r\n"), Ok(Vec::new()));
    }

    #[test]
    fn any_other_status_is_reported_with_the_schemes_that_the_proxy_accepts() {
        let many = "X-Corp: v\r\n".repeat(300);
        let flood = format!("Proxy-Authenticate: {}\r\n", "A, B, C, NTLM, ntlm, ".repeat(9)).repeat(60);
        for (answer, status, basic, others) in [
            ("HTTP/1.1 403 Forbidden\r\n\r\nno", 403, true, &[][..]),
            ("HTTP/1.1 302 Found\r\nLocation: https://portal\r\n\r\n", 302, true, &[]),
            ("HTTP/1.0 503 Service Unavailable\n\n", 503, true, &[]),
            ("HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"a, b\", charset=\"UTF-8\"\r\n\r\n", 407, true, &[]),
            ("HTTP/1.1 407 No\r\nProxy-Authenticate: A, B, C, D, basic\r\n\r\n", 407, true, &[]),
            (
                "HTTP/1.1 407 No\r\nproxy-authenticate: negotiate\r\nProxy-Authenticate : NTLM\r\n\r\n",
                407,
                false,
                &["Negotiate", "NTLM"],
            ),
            (
                "HTTP/1.1 407 No\r\nProxy-Authenticate: Digest realm = \"x\", stale = true, Negotiate abc=\r\n\r\n",
                407,
                false,
                &["Digest", "Negotiate"],
            ),
            ("HTTP/1.1 407 No\r\nProxy-Authenticate: jdoe, <b>canary</b>\r\n\r\n", 407, false, &[]),
            (&format!("HTTP/1.1 407 No\r\n{flood}\r\n"), 407, false, &["NTLM"]),
            (&format!("HTTP/1.1 407 No\r\n{many}Proxy-Authenticate: Basic\r\n\r\n"), 407, true, &[]),
        ] {
            let wanted = format!("{:?}", Refused::Status(status, Login { basic, others: others.to_vec() }));
            assert_eq!(outcome(answer.as_bytes()), Err(wanted), "{answer}");
        }
    }

    #[test]
    fn a_refusal_keeps_its_status_even_if_the_rest_is_invalid() {
        let endless = [b"HTTP/1.1 407 No\r\nX: ".to_vec(), vec![b'x'; HEAD_MAX]].concat();
        for answer in [
            &b"HTTP/1.1 407 "[..],
            b"HTTP/1.1 407 Proxy Authentication Required\r\n",
            b"HTTP/1.1 407 No\0\r\n\r\n",
            b"HTTP/1.1 407 N\ro\r\nX: \r \0\r\n\r\n",
            b"HTTP/1.1   407\r\n\r\n",
            &endless,
        ] {
            let wanted = Refused::Status(407, Login { basic: true, others: Vec::new() });
            assert_eq!(outcome(answer), Err(format!("{wanted:?}")), "{}", answer.escape_ascii());
        }
        assert_eq!(outcome(b"HTTP/1.1 407"), Err("Closed".to_owned()), "more digits may follow");
    }

    #[test]
    fn bytes_that_are_not_an_answer_are_refused_without_waiting_for_more() {
        for bytes in [&b"<html>"[..], b"\x15\x03\x03\x00\x02\x02\x28", b"SSH-2.0-x\r\n", b"HTTP/2 200\r\n\r\n"] {
            assert_eq!(outcome(bytes), Err("NotHttp".to_owned()), "{bytes:?}");
        }
        assert_eq!(outcome(b"HTTP/1.1 abc OK\r\n\r\n"), Err("NotHttp".to_owned()));
        let endless = [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'; HEAD_MAX]].concat();
        assert_eq!(outcome(&endless), Err("NotHttp".to_owned()));
        for bytes in [&b""[..], b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nVia: x"] {
            assert_eq!(outcome(bytes), Err("Closed".to_owned()), "{bytes:?}");
        }
    }
}
