//! Finds secrets in the text of a peer. The peer may repeat them in any of several encodings.
//!
//! The text and each secret are decoded step by step. Each result of a step is a *form*. Each character of a form knows
//! the bytes of the original text that it comes from ([`Unit`]). A *run* is [`RUN`] characters in a row. If a run is in
//! a form of the text and in a form of a secret, its bytes are removed from the original text. So a piece of a secret
//! is found too. A secret that is shorter than a run is found only as a whole.
//!
//! The hash table contains the runs of the text, because the length of the text is limited and the length of a secret
//! is not. The forms of a secret are made one after the other, and each one is dropped before the next.
//!
//! The comparison ignores ASCII case. White space, control characters, layout characters, `+` and `-` are equal to each
//! other. `/` and `_` are also equal, because the encodings of URLs and of base64 exchange them. Each form is compared
//! a second time, with one space instead of each row of blank characters.

use zeroize::{DefaultIsZeroes, Zeroizing};

use super::{Secrets, is_layout};

/// The length of a run: this many characters in a row of a secret are removed.
const RUN: usize = 8;

/// The number of decoding steps. Two steps are enough for a text that is encoded twice, in any mix of the encodings.
const DEPTH: usize = 3;

/// A character, and the bytes of the original text that it comes from.
#[derive(Clone, Copy, Default)]
pub(super) struct Unit {
    pub(super) character: char,
    from: u32,
    to: u32,
}

impl DefaultIsZeroes for Unit {}

type Form = Zeroizing<Vec<Unit>>;

/// The text as it is.
pub(super) fn form(text: &str) -> Form {
    let mut units = Zeroizing::new(Vec::with_capacity(text.len()));
    let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    units.extend(text.char_indices().map(|(at, character)| Unit {
        character,
        from: place(at),
        to: place(at + character.len_utf8()),
    }));
    units
}

/// The text with each character as `fit` replaces it; `None`: `fit` changes nothing.
pub(super) fn replaced(text: &str, fit: fn(char) -> char) -> Option<Form> {
    let mut form = form(text);
    let mut changed = false;
    for unit in form.iter_mut() {
        let character = fit(unit.character);
        changed |= character != unit.character;
        unit.character = character;
    }
    changed.then_some(form)
}

/// A space for a character that is white space or may replace it. Other characters are unchanged.
fn folded(character: char) -> char {
    match character {
        '+' | '-' => ' ',
        '_' => '/',
        _ if character.is_whitespace() || is_layout(character) => ' ',
        _ => character.to_ascii_lowercase(),
    }
}

fn is_blank(unit: &Unit) -> bool {
    folded(unit.character) == ' '
}

fn trimmed(form: &[Unit]) -> &[Unit] {
    let ends = form.iter().position(|unit| !is_blank(unit)).zip(form.iter().rposition(|unit| !is_blank(unit)));
    ends.and_then(|(first, last)| form.get(first..=last)).unwrap_or_default()
}

fn equal(one: &[Unit], other: &[Unit]) -> bool {
    let folded = |unit: &Unit| folded(unit.character);
    one.len() == other.len() && one.iter().map(folded).eq(other.iter().map(folded))
}

/// Decodes the character at a place. Returns the character, and the number of units that it takes.
type Decode = fn(&[Unit], usize) -> Option<(char, usize)>;

fn character(form: &[Unit], at: usize) -> Option<char> {
    form.get(at).map(|unit| unit.character)
}

fn digits(form: &[Unit], at: usize, count: usize, radix: u32) -> Option<u32> {
    (at..at + count).try_fold(0, |number, at| Some(number * radix + character(form, at)?.to_digit(radix)?))
}

/// An encoded byte, and the number of units that it takes: `%41`, or `\x41`.
fn byte(form: &[Unit], at: usize) -> Option<(u8, usize)> {
    let sign = match (character(form, at)?, character(form, at + 1)?) {
        ('%', _) => 1,
        ('\\', 'x') => 2,
        _ => return None,
    };
    Some((u8::try_from(digits(form, at + sign, 2, 16)?).ok()?, sign + 2))
}

/// Decodes percent-encoded (RFC 3986) UTF-8, or Latin-1 if it is not UTF-8. Server logs write `\x` instead of `%`.
fn percent(form: &[Unit], at: usize) -> Option<(char, usize)> {
    let (first, length) = byte(form, at)?;
    let count = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    let (mut bytes, mut next) = ([first, 0, 0, 0], at + length);
    for place in bytes.iter_mut().take(count).skip(1) {
        // The other bytes may be encoded twice. In this case, the next step decodes all of them.
        match byte(form, next) {
            Some((byte, length)) => (*place, next) = (byte, next + length),
            None if matches!(character(form, next), Some('%' | '\\' | '&')) => return None,
            None => return Some((char::from(first), length)),
        }
    }
    match std::str::from_utf8(bytes.get(..count)?) {
        Ok(text) => Some((text.chars().next()?, next - at)),
        Err(_) => Some((char::from(first), length)),
    }
}

/// Decodes the escapes of a JSON string (RFC 8259) and of HTML.
fn json(form: &[Unit], at: usize) -> Option<(char, usize)> {
    let code = |at| {
        let begins = (character(form, at), character(form, at + 1)) == (Some('\\'), Some('u'));
        begins.then(|| digits(form, at + 2, 4, 16))?.and_then(|code| u16::try_from(code).ok())
    };
    if let Some(first) = code(at) {
        // The other half of this pair may be encoded twice. In this case, the next step decodes the pair.
        let pair = [Some(first), code(at + 6)];
        let decoded = char::decode_utf16(pair.into_iter().flatten()).next()?.ok()?;
        return Some((decoded, 6 * decoded.len_utf16()));
    }
    match (character(form, at)?, character(form, at + 1)?) {
        ('\\', 'b' | 'f' | 'n' | 'r' | 't') => Some((' ', 2)),
        ('\\', escaped @ ('"' | '\'' | '/' | '\\')) => Some((escaped, 2)),
        ('&', _) => html(form, at),
        _ => None,
    }
}

/// Decodes the character references of HTML that encoders write: `&amp;`, `&#39;`, `&#x27;`.
fn html(form: &[Unit], at: usize) -> Option<(char, usize)> {
    const NAMES: [(&str, char); 6] =
        [("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("apos", '\''), ("nbsp", ' ')];
    let length = (1..10).find(|length| character(form, at + length) == Some(';'))?;
    let reference = form.get(at + 1..at + length)?;
    let named = NAMES.into_iter().find(|(name, _)| name.chars().eq(reference.iter().map(|unit| unit.character)));
    let character = match (named, character(reference, 0)?, character(reference, 1)?) {
        (Some((_, character)), ..) => character,
        (None, '#', 'x' | 'X') => char::from_u32(digits(reference, 2, reference.len() - 2, 16)?)?,
        (None, '#', _) => char::from_u32(digits(reference, 1, reference.len() - 1, 10)?)?,
        _ => return None,
    };
    Some((character, length + 1))
}

fn either(form: &[Unit], at: usize) -> Option<(char, usize)> {
    percent(form, at).or_else(|| json(form, at))
}

/// Replaces each row of blanks by one blank.
fn blank(form: &[Unit], at: usize) -> Option<(char, usize)> {
    let count = form.get(at..)?.iter().take_while(|unit| is_blank(unit)).count();
    (count > 1).then_some((' ', count))
}

/// The form after one step; `None` if the step changes nothing.
fn step(form: &[Unit], decode: Decode) -> Option<Form> {
    (0..form.len()).find(|at| decode(form, *at).is_some())?;
    let (mut next, mut at) = (Zeroizing::new(Vec::with_capacity(form.len())), 0);
    while let Some(unit) = form.get(at) {
        let (character, count) = decode(form, at).unwrap_or((unit.character, 1));
        let last = form.get(at + count - 1)?;
        next.push(Unit { character, from: unit.from, to: last.to });
        at += count;
    }
    Some(next)
}

/// Calls a function with each form of a text.
fn each_form(form: &[Unit], depth: usize, see: &mut dyn FnMut(&[Unit])) {
    see(form);
    if let Some(form) = step(form, blank) {
        see(&form);
    }
    if depth == 0 {
        return;
    }
    let mut decode = |decode| step(form, decode).inspect(|form| each_form(form, depth - 1, see)).is_some();
    // If a text uses only one of the encodings, the mix of all encodings gives the same form.
    if decode(percent as Decode) & decode(json) {
        decode(either);
    }
}

/// The forms of a text, and a hash table with their runs.
pub(super) struct Finder {
    forms: Vec<Form>,
    runs: Zeroizing<Vec<Run>>,
}

/// The place of a run, and whether a secret contains this run.
#[derive(Clone, Copy, Default)]
struct Run {
    form: u32,
    /// The place in the form, plus 1; 0: this entry is free.
    at: u32,
    found: bool,
}

impl DefaultIsZeroes for Run {}

impl Finder {
    /// A finder for these forms of one original text.
    pub(super) fn new(texts: &[Form]) -> Finder {
        let mut forms = Vec::new();
        for text in texts {
            each_form(text, DEPTH, &mut |form| forms.push(Zeroizing::new(form.to_vec())));
        }
        let count: usize = forms.iter().map(|form| form.len()).sum();
        let runs = Zeroizing::new(vec![Run::default(); (2 * count + 1).next_power_of_two()]);
        let mut finder = Finder { forms, runs };
        finder.each_run(|finder, form, at| {
            let slot = finder.run(form, at).map(|run| finder.slot(run));
            if let Some(run @ Run { at: 0, .. }) = slot.and_then(|slot| finder.runs.get_mut(slot)) {
                (run.form, run.at) = (form as u32, at as u32 + 1);
            }
        });
        finder
    }

    fn each_run(&mut self, mut see: impl FnMut(&mut Self, usize, usize)) {
        for form in 0..self.forms.len() {
            for at in 0..self.forms.get(form).map_or(0, |form| (form.len() + 1).saturating_sub(RUN)) {
                see(self, form, at);
            }
        }
    }

    fn run(&self, form: usize, at: usize) -> Option<&[Unit]> {
        self.forms.get(form)?.get(at..at + RUN)
    }

    /// The entry of a run in the hash table, or the free entry for it.
    fn slot(&self, run: &[Unit]) -> usize {
        let mix = |hash: u64, unit: &Unit| {
            (hash ^ u64::from(folded(unit.character))).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
        };
        let mask = self.runs.len() - 1;
        let mut slot = run.iter().fold(0, mix) as usize & mask;
        while let Some(known @ Run { at: 1.., .. }) = self.runs.get(slot) {
            if self.run(known.form as usize, known.at as usize - 1).is_some_and(|known| equal(known, run)) {
                break;
            }
            slot = (slot + 1) & mask;
        }
        slot
    }

    /// Marks the bytes of the original text that must not be shown: the runs of secrets, and text in the form of a JWT.
    pub(super) fn mark(mut self, secrets: &[&Secrets], marks: &mut [bool]) {
        for secret in secrets.iter().flat_map(|secrets| &secrets.0) {
            each_form(&form(secret.expose()), DEPTH, &mut |form| {
                let trimmed = trimmed(form);
                // A peer may leave out the blanks at the ends of a short secret.
                let form = if trimmed.len() < RUN && form.len() < 2 * RUN { trimmed } else { form };
                if form.len() < RUN {
                    self.mark_short(form, marks);
                }
                for run in form.windows(RUN) {
                    let slot = self.slot(run);
                    if let Some(run @ Run { at: 1.., .. }) = self.runs.get_mut(slot) {
                        run.found = true;
                    }
                }
            });
        }
        self.each_run(|finder, form, at| {
            let slot = finder.run(form, at).map(|run| finder.slot(run));
            if slot.and_then(|slot| finder.runs.get(slot)).is_some_and(|run| run.found) {
                mark(finder.run(form, at), marks);
            }
        });
        for form in &self.forms {
            each_jwt(form, &mut |from, to| mark(form.get(from..to), marks));
        }
    }

    /// Marks a secret that is shorter than a run.
    fn mark_short(&self, secret: &[Unit], marks: &mut [bool]) {
        let length = secret.len();
        for form in self.forms.iter().filter(|_| length > 0) {
            for (at, found) in form.windows(length).enumerate() {
                if equal(secret, found) && (length > 2 || is_word(form, at, at + length)) {
                    mark(Some(found), marks);
                }
            }
        }
    }
}

/// Marks the bytes of the original text that a part of a form comes from.
fn mark(part: Option<&[Unit]>, marks: &mut [bool]) {
    if let Some([first, .., last] | [first @ last]) = part {
        marks.get_mut(first.from as usize..last.to as usize).unwrap_or_default().fill(true);
    }
}

/// Whether a text of one or two characters is a separate word. Only then is such a short secret removed, because many
/// words contain it.
fn is_word(form: &[Unit], from: usize, to: usize) -> bool {
    let joins = |unit: Option<&Unit>| {
        unit.is_some_and(|unit| unit.character.is_ascii_alphanumeric() || !unit.character.is_ascii())
    };
    !joins(from.checked_sub(1).and_then(|before| form.get(before))) && !joins(form.get(to))
}

/// Finds text in the form of a JWT: parts in base64url with dots between them. It may be the handle's token or another
/// one. It is one of these:
///
/// * a part that contains the start of a JSON object, such as `eyJ`. The part before it and all parts after it are
///   included;
/// * three parts in a row of at least [`PART`] characters each, which contain upper-case letters, lower-case letters
///   and digits. The names of hosts, files and versions do not have this form.
fn each_jwt(form: &[Unit], mark: &mut dyn FnMut(usize, usize)) {
    let is_inside = |unit: &Unit| sextet(unit.character).is_some() || matches!(unit.character, '.' | '=');
    let mut end = 0;
    while let Some(skipped) = form.get(end..).and_then(|rest| rest.iter().position(is_inside)) {
        let from = end + skipped;
        let text = form.get(from..).unwrap_or_default();
        let text = text.get(..text.iter().take_while(|unit| is_inside(unit)).count()).unwrap_or_default();
        end = from + text.len();
        let head = (0..text.len()).find(|at| text.get(*at..).is_some_and(begins_object)).map(|at| {
            let before = text.get(..at).unwrap_or_default();
            // The object may be the payload. Then the part before it is the header.
            let header = before.iter().rposition(|unit| unit.character == '.');
            header.and_then(|dot| before.get(..dot)).map_or(at, last_part)
        });
        if let Some(at) = head.into_iter().chain(three_parts(text)).min() {
            mark(from + at, end);
        }
    }
}

/// The minimum length of each part of a JWT whose header is not recognized. Headers have at least 16 characters.
const PART: usize = 12;

/// The start of three parts that may be a JWT.
fn three_parts(text: &[Unit]) -> Option<usize> {
    let dots = (0..text.len()).filter(|at| character(text, *at) == Some('.'));
    for dot in dots {
        let from = last_part(text.get(..dot)?);
        let mut parts = text.get(from..)?.split(|unit| unit.character == '.');
        let three = [parts.next()?, parts.next()?, parts.next()?];
        let kind = |unit: &Unit| match unit.character {
            'A'..='Z' => 1,
            'a'..='z' => 2,
            '0'..='9' => 4,
            _ => 0,
        };
        let kinds = three.iter().copied().flatten().fold(0, |kinds, unit| kinds | kind(unit));
        if kinds == 7 && three.iter().all(|part| part.len() >= PART) {
            return Some(from);
        }
    }
    None
}

/// The start of the last part: after a dot, or after the `=` of `name=`. At the end of a part, `=` is padding.
fn last_part(text: &[Unit]) -> usize {
    let padding = text.iter().rev().take_while(|unit| unit.character == '=').count();
    let before = text.get(..text.len() - padding).unwrap_or_default();
    before.iter().rposition(|unit| matches!(unit.character, '.' | '=')).map_or(0, |sign| sign + 1)
}

/// The number of characters that are decoded to find the start of a JSON object.
const HEAD: usize = 64;

/// Whether this is base64url of a text that starts like a JSON object.
fn begins_object(text: &[Unit]) -> bool {
    let (mut bits, mut count, mut open) = (0_u32, 0, false);
    for unit in text.iter().take(HEAD) {
        let Some(value) = sextet(unit.character) else { return false };
        (bits, count) = (bits << 6 | value, count + 6);
        if count >= 8 {
            count -= 8;
            match (bits >> count) as u8 {
                b' ' | b'\t' | b'\n' | b'\r' => {}
                b'{' if !open => open = true,
                byte => return open && byte == b'"',
            }
        }
    }
    false
}

/// The value of a character of base64url.
fn sextet(character: char) -> Option<u32> {
    let value = match character {
        'A'..='Z' => character as u32 - 'A' as u32,
        'a'..='z' => character as u32 - 'a' as u32 + 26,
        '0'..='9' => character as u32 - '0' as u32 + 52,
        '-' => 62,
        '_' => 63,
        _ => return None,
    };
    Some(value)
}
