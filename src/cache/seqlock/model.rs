//! Small models of the seqlock under loom: the orders of its threads, and the values that a load may see in a weak
//! memory model.
//!
//! All words are loom's. The pointer to the block is not, but it does not change in these models after the first write.

use std::cell::Cell;

use super::*;

const OURS: usize = 1;
const OTHERS: usize = 2;
const FIRST: &str = "aaaaaaaabbbbbbbb";
const SECOND: &str = "ccccccccdddddddd";

/// Runs a model on a seqlock that has the first token under a lease.
fn check(model: fn(&'static Seqlock)) {
    check_with(loom::model::Builder::new(), model);
}

fn check_with(builder: loom::model::Builder, model: fn(&'static Seqlock)) {
    builder.check(move || {
        let seqlock: &'static Seqlock = Box::leak(Box::default());
        seqlock.write(OURS, Some((1, FIRST)), || {});
        seqlock.grant(seqlock.see(OURS).unwrap(), 0, true);
        model(seqlock);
    });
}

/// Replaces the first token by the second token of this handle, on another thread.
fn replace_by(handle: usize, seqlock: &'static Seqlock) -> loom::thread::JoinHandle<()> {
    loom::thread::spawn(move || {
        seqlock.write(handle, Some((2, SECOND)), || {});
        seqlock.grant(seqlock.see(handle).unwrap(), 0, true);
    })
}

/// The text that a read returns; `None` if the read is not valid.
fn read(seqlock: &Seqlock, handle: usize) -> Option<String> {
    let bytes = Cell::new(Vec::new());
    let copy = |words: &Words, length: usize| {
        let words = words.iter().flat_map(|word| word.load(Ordering::Relaxed).to_ne_bytes());
        bytes.set(words.take(length).collect());
        Some(length)
    };
    let whole = seqlock.read(handle, LEASE_MS - 1, copy) == Copied::Whole(FIRST.len());
    whole.then(|| String::from_utf8(bytes.take()).unwrap())
}

#[test]
fn a_read_is_whole_while_the_token_is_replaced() {
    check(|seqlock| {
        let writer = replace_by(OURS, seqlock);
        if let Some(text) = read(seqlock, OURS) {
            assert!([FIRST, SECOND].contains(&&*text), "{text}");
        }
        writer.join().unwrap();
        assert_eq!(read(seqlock, OURS).as_deref(), Some(SECOND));
    });
}

#[test]
fn a_generation_belongs_to_its_handle_while_the_seqlock_passes_to_another() {
    check(|seqlock| {
        let writer = replace_by(OTHERS, seqlock);
        assert!([None, Some(1)].contains(&seqlock.generation(OURS, LEASE_MS - 1)));
        writer.join().unwrap();
        assert_eq!(seqlock.generation(OURS, LEASE_MS - 1), None);
    });
}

/// A program that keeps a copy relies on this: if the generation is the same before and after the read of a text, the
/// text belongs to it. Three reads have too many orders to run, so this runs those with at most two preemptions of a
/// thread.
#[test]
fn a_text_read_between_two_equal_generations_belongs_to_that_generation() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    check_with(builder, |seqlock| {
        let writer = replace_by(OURS, seqlock);
        let generation = || seqlock.generation(OURS, LEASE_MS - 1);
        let (before, text, after) = (generation(), read(seqlock, OURS), generation());
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
fn a_read_belongs_to_its_handle_while_the_seqlock_passes_to_another() {
    check(|seqlock| {
        let writer = replace_by(OTHERS, seqlock);
        if let Some(text) = read(seqlock, OURS) {
            assert_eq!(text, FIRST);
        }
        writer.join().unwrap();
        assert_eq!(read(seqlock, OURS), None);
    });
}

#[test]
fn a_revoked_token_is_never_leased_by_an_earlier_check() {
    check(|seqlock| {
        let rejected: &'static loom::sync::atomic::AtomicBool = Box::leak(Box::new(false.into()));
        let reader = loom::thread::spawn(move || {
            let seen = seqlock.see(OURS).unwrap();
            if !rejected.load(Ordering::Relaxed) {
                seqlock.grant(seen, 1, true);
            }
        });
        rejected.store(true, Ordering::Relaxed);
        seqlock.revoke();
        assert_eq!(read(seqlock, OURS), None);
        reader.join().unwrap();
        assert_eq!(read(seqlock, OURS), None);
    });
}
