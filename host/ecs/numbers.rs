//! What is known of agents by their number. Numbers rise for ever while agents come and go, so they are kept in
//! pages, and a page that nobody is on takes no room. Knows nothing of agents.

use std::mem::size_of;

use super::component::AgentNumber;

/// Numbers of a page: few, so that one agent that stays long keeps little else.
const PAGE: usize = 64;

/// Values by number, in the order of the numbers.
#[derive(Clone, Debug)]
pub(super) struct ByNumber<T> {
    /// Of the numbers from 1 on; none: nobody is there.
    pages: Vec<Option<Box<Page<T>>>>,
    held: usize,
}

#[derive(Clone, Debug)]
struct Page<T> {
    held: usize,
    places: [Option<T>; PAGE],
}

impl<T> Default for ByNumber<T> {
    fn default() -> Self {
        Self { pages: Vec::new(), held: 0 }
    }
}

impl<T: Copy> ByNumber<T> {
    pub(super) fn len(&self) -> usize {
        self.held
    }

    pub(super) fn get(&self, number: AgentNumber) -> Option<T> {
        let (page, place) = locate(number)?;
        self.pages.get(page)?.as_ref()?.places[place]
    }

    pub(super) fn contains(&self, number: AgentNumber) -> bool {
        self.get(number).is_some()
    }

    /// What was there before. Nothing is anywhere for number 0, which nobody has.
    pub(super) fn insert(&mut self, number: AgentNumber, value: T) -> Option<T> {
        let (page, place) = locate(number)?;
        if page >= self.pages.len() {
            self.pages.resize_with(page + 1, || None);
        }
        let page = self.pages[page].get_or_insert_with(|| Box::new(Page { held: 0, places: [None; PAGE] }));
        let before = page.places[place].replace(value);
        if before.is_none() {
            page.held += 1;
            self.held += 1;
        }
        before
    }

    pub(super) fn remove(&mut self, number: AgentNumber) -> Option<T> {
        let (at, place) = locate(number)?;
        let slot = self.pages.get_mut(at)?;
        let page = slot.as_mut()?;
        let before = page.places[place].take()?;
        page.held -= 1;
        self.held -= 1;
        if page.held == 0 {
            *slot = None;
        }
        Some(before)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (AgentNumber, T)> + '_ {
        self.after(0)
    }

    /// All but the first `count`, which cost a look at each of their pages.
    pub(super) fn after(&self, count: usize) -> impl Iterator<Item = (AgentNumber, T)> + '_ {
        let (mut first, mut left) = (0, count);
        for page in &self.pages {
            let held = page.as_ref().map_or(0, |page| page.held);
            if held > left {
                break;
            }
            left -= held;
            first += 1;
        }
        let pages = self.pages.iter().enumerate().skip(first);
        let there = pages.filter_map(|(at, page)| Some((at, page.as_ref()?)));
        there
            .flat_map(|(at, page)| {
                let value = move |(place, value): (usize, &Option<T>)| Some((numbered(at, place), (*value)?));
                page.places.iter().enumerate().filter_map(value)
            })
            .skip(left)
    }

    /// As it lies in memory.
    pub(super) fn bytes(&self) -> usize {
        let pages = self.pages.iter().flatten().count();
        self.pages.capacity() * size_of::<Option<Box<Page<T>>>>() + pages * size_of::<Page<T>>()
    }
}

fn locate(number: AgentNumber) -> Option<(usize, usize)> {
    let index = (number.0 as usize).checked_sub(1)?;
    Some((index / PAGE, index % PAGE))
}

fn numbered(page: usize, place: usize) -> AgentNumber {
    AgentNumber(u32::try_from(page * PAGE + place + 1).unwrap_or(u32::MAX))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_page_goes_with_its_last_number() {
        let mut all = ByNumber::default();
        assert_eq!(all.insert(AgentNumber(0), 'z'), None);
        assert_eq!((all.len(), all.get(AgentNumber(0)), all.remove(AgentNumber(0))), (0, None, None));
        let empty = all.bytes();
        for (number, value) in [(64, 'a'), (65, 'b'), (1, 'c')] {
            assert_eq!(all.insert(AgentNumber(number), value), None);
        }
        assert_eq!(all.insert(AgentNumber(65), 'd'), Some('b'));
        // 1 and 64 share a page, 65 begins the next.
        let two = all.bytes() - all.pages.capacity() * size_of::<usize>();
        assert_eq!((empty, two), (0, 2 * size_of::<Page<char>>()));
        assert_eq!(all.remove(AgentNumber(65)), Some('d'));
        assert_eq!(all.bytes() - all.pages.capacity() * size_of::<usize>(), size_of::<Page<char>>());
        assert_eq!(all.remove(AgentNumber(65)), None);
        assert_eq!(all.iter().collect::<Vec<_>>(), [(AgentNumber(1), 'c'), (AgentNumber(64), 'a')]);
    }

    proptest! {
        #[test]
        fn it_is_an_ordered_map(
            steps in prop::collection::vec((1u32..400, any::<bool>()), 0..200),
            skipped in 0usize..250,
        ) {
            let (mut all, mut expected) = (ByNumber::default(), BTreeMap::new());
            for (step, (number, come)) in steps.into_iter().enumerate() {
                let agent = AgentNumber(number);
                match come {
                    true => prop_assert_eq!(all.insert(agent, step), expected.insert(agent, step)),
                    false => prop_assert_eq!(all.remove(agent), expected.remove(&agent)),
                }
                prop_assert_eq!(all.get(agent), expected.get(&agent).copied());
            }
            prop_assert_eq!(all.len(), expected.len());
            let expected: Vec<_> = expected.into_iter().skip(skipped).collect();
            prop_assert_eq!(all.after(skipped).collect::<Vec<_>>(), expected);
        }
    }
}
