//! The window under loom: all orders of its threads, and all values that a weak memory may let a load see.
//!
//! The handle and the length are loom's too; the pointer to the block is not, but it changes before anything else does.

use std::cell::Cell;

use super::*;

const OURS: usize = 1;
const OTHERS: usize = 2;
const FIRST: &str = "aaaaaaaabbbbbbbb";
const SECOND: &str = "ccccccccdddddddd";

/// Runs a model on a window with the first token under a lease.
fn check(model: fn(&'static Window)) {
    check_with(loom::model::Builder::new(), model);
}

fn check_with(builder: loom::model::Builder, model: fn(&'static Window)) {
    builder.check(move || {
        let window: &'static Window = Box::leak(Box::default());
        window.write(OURS, Some((1, FIRST)), || {});
        window.grant(window.see(OURS).unwrap(), 0, true);
        model(window);
    });
}

/// Puts the second token, for that handle, in the place of the first, on a thread of its own.
fn replace_by(handle: usize, window: &'static Window) -> loom::thread::JoinHandle<()> {
    loom::thread::spawn(move || {
        window.write(handle, Some((2, SECOND)), || {});
        window.grant(window.see(handle).unwrap(), 0, true);
    })
}

/// What a read brings; `None` where it does not count.
fn read(window: &Window, handle: usize) -> Option<String> {
    let bytes = Cell::new(Vec::new());
    let copy = |words: &Words, length: usize| {
        let words = words.iter().flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes());
        bytes.set(words.take(length).collect());
        Some(length)
    };
    let whole = window.read(handle, LEASE_MS - 1, copy) == Copied::Whole(FIRST.len());
    whole.then(|| String::from_utf8(bytes.take()).unwrap())
}

#[test]
fn a_read_is_whole_while_the_token_is_replaced() {
    check(|window| {
        let writer = replace_by(OURS, window);
        if let Some(text) = read(window, OURS) {
            assert!([FIRST, SECOND].contains(&&*text), "{text}");
        }
        writer.join().unwrap();
        assert_eq!(read(window, OURS).as_deref(), Some(SECOND));
    });
}

#[test]
fn a_generation_is_of_its_own_handle_while_the_window_passes_to_another() {
    check(|window| {
        let writer = replace_by(OTHERS, window);
        assert!([None, Some(1)].contains(&window.generation(OURS, LEASE_MS - 1)));
        writer.join().unwrap();
        assert_eq!(window.generation(OURS, LEASE_MS - 1), None);
    });
}

/// What a host that keeps a copy relies on: a text that was read between two looks at one generation is that one's. With
/// three reads there are more orders than can be run: those in which a thread is interrupted twice at most.
#[test]
fn a_text_between_two_looks_at_one_generation_is_of_that_one() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    check_with(builder, |window| {
        let writer = replace_by(OURS, window);
        let generation = || window.generation(OURS, LEASE_MS - 1);
        let (before, text, after) = (generation(), read(window, OURS), generation());
        if let (Some(before), Some(text), Some(after)) = (before, text, after)
            && before == after
        {
            assert_eq!(text, if before == 1 { FIRST } else { SECOND });
        }
        writer.join().unwrap();
        assert_eq!(generation(), Some(2));
    });
}

#[test]
fn a_read_is_of_its_own_handle_while_the_window_passes_to_another() {
    check(|window| {
        let writer = replace_by(OTHERS, window);
        if let Some(text) = read(window, OURS) {
            assert_eq!(text, FIRST);
        }
        writer.join().unwrap();
        assert_eq!(read(window, OURS), None);
    });
}

#[test]
fn what_is_revoked_is_never_leased_for_what_was_known_before() {
    check(|window| {
        let rejected: &'static loom::sync::atomic::AtomicBool = Box::leak(Box::new(false.into()));
        let reader = loom::thread::spawn(move || {
            let seen = window.see(OURS).unwrap();
            if !rejected.load(Ordering::Relaxed) {
                window.grant(seen, 1, true);
            }
        });
        rejected.store(true, Ordering::Relaxed);
        window.revoke();
        assert_eq!(read(window, OURS), None);
        reader.join().unwrap();
        assert_eq!(read(window, OURS), None);
    });
}
