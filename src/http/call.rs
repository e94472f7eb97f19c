//! One request and its answer over a connection, by ureq's own protocol half (`ureq-proto`).
//!
//! ureq's `Agent` is not used: each of its configurations begins with `Config::default`, which reads eight proxy
//! variables of the process's environment. On a refresh thread, that races with a host's `setenv`.

use std::io::{Error as IoError, ErrorKind};

use ureq::Error;
use ureq::http::{Request, Response};
use ureq::unversioned::transport::{NextTimeout, Transport};
use ureq_proto::BodyMode;
use ureq_proto::client::state::{RecvBody, RecvResponse, SendRequest};
use ureq_proto::client::{Call, RecvResponseResult, SendRequestResult};
use zeroize::Zeroizing;

use super::HEADERS_MAX;
use crate::gate::BODY_MAX;

/// Sends a request and waits for the head of the answer. The request's `Content-Length` must be the length of the body.
pub fn send(wire: &mut dyn Transport, request: Request<()>, body: &[u8]) -> Result<(Response<()>, Rest), Error> {
    let call = send_all(wire, Call::new(request)?.proceed(), body)?;
    let (response, call) = receive_head(wire, call)?;
    match call.proceed() {
        Some(RecvResponseResult::RecvBody(call)) => Ok((response, Rest(Some(call)))),
        _ => Ok((response, Rest(None))),
    }
}

fn send_all(
    wire: &mut dyn Transport,
    mut call: Call<SendRequest>,
    mut body: &[u8],
) -> Result<Call<RecvResponse>, Error> {
    while !call.can_proceed() {
        let amount = call.write(wire.buffers().output())?;
        wire.transmit_output(amount, NextTimeout::default())?;
    }
    let mut call = match call.proceed()? {
        Some(SendRequestResult::SendBody(call)) => call,
        Some(SendRequestResult::RecvResponse(call)) => return Ok(call),
        _ => return Err(Error::BodyStalled), // only a request with `Expect` gets here
    };
    while !call.can_proceed() {
        let (used, amount) = call.write(body, wire.buffers().output())?;
        body = body.get(used..).unwrap_or_default();
        wire.transmit_output(amount, NextTimeout::default())?;
    }
    call.proceed().ok_or(Error::BodyStalled)
}

/// Waits for the whole head. Interim answers are dropped.
fn receive_head(
    wire: &mut dyn Transport,
    mut call: Call<RecvResponse>,
) -> Result<(Response<()>, Call<RecvResponse>), Error> {
    loop {
        let more = wire.maybe_await_input(NextTimeout::default())?;
        let input = wire.buffers().input();
        let (amount, response) = call.try_response(input, false)?;
        let length = if response.is_some() { amount } else { input.len() };
        if length > HEADERS_MAX {
            return Err(Error::LargeResponseHeader(length, HEADERS_MAX));
        }
        wire.buffers().input_consume(amount);
        match response {
            Some(response) => return Ok((response, call)),
            None if more => {}
            None => return Err(cut()),
        }
    }
}

/// The part of an answer after its head.
pub struct Rest(Option<Call<RecvBody>>);

impl Rest {
    /// Reads the body, if it is not longer than [`BODY_MAX`].
    pub fn read(self, wire: &mut dyn Transport) -> Result<Zeroizing<Vec<u8>>, Error> {
        let Some(mut call) = self.0 else { return Ok(Zeroizing::default()) };
        let mode = call.body_mode();
        let length = if let BodyMode::LengthDelimited(length) = mode { length } else { BODY_MAX as u64 };
        let too_long = || Error::BodyExceedsLimit(BODY_MAX as u64);
        let length = usize::try_from(length).ok().filter(|length| *length <= BODY_MAX).ok_or_else(too_long)?;
        // Sized in advance: a buffer that grows leaves copies. The spare byte is for a body that is too long.
        let mut body = Zeroizing::new(vec![0; length + 1]);
        let (mut filled, mut closed) = (0, false);
        loop {
            // A body without a length ends with the connection.
            let ended = if mode == BodyMode::CloseDelimited { closed } else { call.can_proceed() };
            let (used, amount) = call.read(wire.buffers().input(), body.get_mut(filled..).unwrap_or_default())?;
            wire.buffers().input_consume(used);
            filled += amount;
            if filled > BODY_MAX {
                return Err(too_long());
            }
            if used > 0 {
                continue;
            }
            if ended || (closed && call.is_ended_chunked()) {
                body.truncate(filled);
                return Ok(body);
            }
            if closed {
                return Err(cut());
            }
            closed = !await_more(wire)?;
        }
    }
}

/// Waits for more bytes of a body. Returns `false` if the body has ended.
fn await_more(wire: &mut dyn Transport) -> Result<bool, Error> {
    use ErrorKind::{ConnectionAborted, ConnectionReset, UnexpectedEof};

    if wire.buffers().input_append_buf().is_empty() {
        return Err(Error::BodyStalled); // the input is full, and contains no part of the body
    }
    match wire.await_input(NextTimeout::default()) {
        // Many servers end a connection in this way after the whole answer.
        Err(Error::Io(error)) if [ConnectionAborted, ConnectionReset, UnexpectedEof].contains(&error.kind()) => {
            Ok(false)
        }
        more => more,
    }
}

/// The connection ended too early.
fn cut() -> Error {
    IoError::from(ErrorKind::UnexpectedEof).into()
}

#[cfg(test)]
mod tests;
