//! The control endpoint: it offers the functions of [`Gate`](crate::Gate) to programs in other languages. Plain HTTP,
//! one request per connection, JSON in and out, so that a client needs only twenty lines of C.

use crate::counts::Counts;
use crate::http::{Extras, Incoming, Request, Response};
use crate::state::{Shared, State};
use crate::wire::Wire;
use serde_json::{Value, json};
use std::io::Write as _;
use std::time::Duration;

const HELP: &str = "there are GET /counts /wait?COUNT=N&timeout_ms=M /last_request /last_connect /last_token /plan, \
    POST /plan /set /release /reset /stop, DELETE /plan";

pub(crate) fn serve(shared: &Shared, mut wire: Wire) {
    let extras = Extras { date: None, close: true };
    let mut stop = false;
    let response = match Request::read(&mut wire, &mut Vec::new()) {
        Incoming::Closed => return,
        Incoming::Malformed(message) => error(400, message),
        Incoming::Request(request) => {
            let (path, query) = request.path_and_query();
            stop = (request.method.as_str(), path) == ("POST", "/stop");
            answer(shared, &request, path, query.unwrap_or_default())
        }
    };
    let _ = wire.write_all(&response.bytes(&extras));
    if stop {
        shared.stop();
    }
    wire.close();
}

fn answer(shared: &Shared, request: &Request, path: &str, query: &str) -> Response {
    match (request.method.as_str(), path) {
        ("GET", "/counts") => Response::json(200, &shared.with(|state| state.counts.to_json())),
        ("GET", "/wait") => wait(shared, query).unwrap_or_else(|message| error(400, message)),
        ("GET", "/last_request") => show(shared, |state| state.last_request.as_ref().map(|seen| seen.to_json())),
        ("GET", "/last_connect") => show(shared, |state| state.last_connect.as_ref().map(|seen| seen.to_json())),
        ("GET", "/last_token") => show(shared, |state| state.last_token.as_deref().map(Value::from)),
        ("GET", "/plan") => show(shared, |state| Some(json!({"left": planned(state)}))),
        ("POST", "/plan") => change(shared, request, State::add_plan),
        ("POST", "/set") => change(shared, request, State::set),
        ("DELETE", "/plan") => act(|| shared.with(|state| state.plan.clear())),
        ("POST", "/release") => act(|| shared.release()),
        ("POST", "/reset") => act(|| shared.with(State::reset)),
        ("POST", "/stop") => act(|| ()),
        (method, path) => error(404, format!("there is no {method} {path}; {HELP}")),
    }
}

/// The number of requests for which the plan still has behaviours.
pub(crate) fn planned(state: &State) -> usize {
    state.plan.iter().map(|planned| planned.times).sum()
}

fn act(action: impl FnOnce()) -> Response {
    action();
    Response::json(200, &json!({}))
}

fn error(status: u16, message: String) -> Response {
    Response::json(status, &json!({"error": message}))
}

fn show(shared: &Shared, look: impl FnOnce(&State) -> Option<Value>) -> Response {
    Response::json(200, &shared.with(|state| look(state)).unwrap_or(Value::Null))
}

fn change(shared: &Shared, request: &Request, apply: fn(&mut State, &Value) -> Result<(), String>) -> Response {
    let body = serde_json::from_slice(&request.body).map_err(|e| format!("the body is not JSON: {e}"));
    match body.and_then(|body| shared.with(|state| apply(state, &body))) {
        Ok(()) => act(|| ()),
        Err(message) => error(400, message),
    }
}

/// Blocks until each named count has reached its number.
fn wait(shared: &Shared, query: &str) -> Result<Response, String> {
    let (mut timeout, mut goals) = (crate::patience(crate::WAIT_SECONDS), Vec::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, number) = pair.split_once('=').ok_or_else(|| format!("`{pair}` should be NAME=NUMBER"))?;
        let number: u64 = number.parse().map_err(|_| format!("`{pair}`: not a number"))?;
        match name {
            "timeout_ms" => timeout = Duration::from_millis(number.min(600_000)),
            count if Counts::NAMES.contains(&count) => goals.push((count.to_owned(), number)),
            other => return Err(format!("there is no count `{other}`; there are {}", Counts::NAMES.join(", "))),
        }
    }
    let met = |counts: &Counts| goals.iter().all(|(name, least)| counts.get(name) >= Some(*least));
    let came = shared.wait(timeout, |state| met(&state.counts));
    Ok(Response::json(if came { 200 } else { 504 }, &shared.with(|state| state.counts.to_json())))
}
