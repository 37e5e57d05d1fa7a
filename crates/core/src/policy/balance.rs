//! Which server of several gets the next request?

/// A server as it is at the moment of the choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Its requests in flight.
    pub outstanding: usize,
    /// Its share beside the others'; a server that may get nothing has 0.
    pub weight: u32,
}

/// The server with the fewest requests in flight for its weight. `turn` is a number that grows by
/// one with every choice: those that are equally busy get their turns by their weights. None: no
/// server may be used.
pub fn choose(servers: &[Candidate], turn: u64) -> Option<usize> {
    let usable = servers
        .iter()
        .copied()
        .enumerate()
        .filter(|(_, server)| server.weight > 0);
    let idlest = usable.clone().map(|(_, server)| server);
    let idlest = idlest.reduce(|one, other| match busier(one, other) {
        true => other,
        false => one,
    })?;
    let alike = usable.filter(|(_, server)| !busier(*server, idlest));
    let weights = alike.clone().map(|(_, server)| u64::from(server.weight));
    let mut left = spread(turn, weights.sum());
    for (index, server) in alike {
        match left.checked_sub(u64::from(server.weight)) {
            Some(rest) => left = rest,
            None => return Some(index),
        }
    }
    None
}

/// Whether one has more requests in flight for its weight than the other.
fn busier(one: Candidate, other: Candidate) -> bool {
    let load = |it: Candidate, weight: u32| it.outstanding as u128 * u128::from(weight);
    load(one, other.weight) > load(other, one.weight)
}

/// A number below `of` that is another for each turn, evenly spread over any few turns: multiples of
/// the golden ratio.
pub fn spread(turn: u64, of: u64) -> u64 {
    let fraction = turn.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let scaled = (u128::from(fraction) * u128::from(of)) >> 64;
    u64::try_from(scaled).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    //! The choice, and that it is fair.

    use super::{Candidate, choose};

    fn server(outstanding: usize, weight: u32) -> Candidate {
        Candidate {
            outstanding,
            weight,
        }
    }

    fn of(servers: &[Candidate], turn: u64) -> Option<usize> {
        choose(servers, turn)
    }

    /// How many of these requests each server gets if none of them ends.
    fn piled(weights: &[u32], requests: u64) -> Vec<usize> {
        let mut servers: Vec<_> = weights.iter().map(|weight| server(0, *weight)).collect();
        for turn in 0..requests {
            let chosen = of(&servers, turn).unwrap();
            servers[chosen].outstanding += 1;
        }
        servers.iter().map(|server| server.outstanding).collect()
    }

    /// How many each gets if every one ends before the next.
    fn single(weights: &[u32], requests: u64) -> Vec<usize> {
        let servers: Vec<_> = weights.iter().map(|weight| server(0, *weight)).collect();
        let mut counts = vec![0; weights.len()];
        for turn in 0..requests {
            counts[of(&servers, turn).unwrap()] += 1;
        }
        counts
    }

    #[test]
    fn the_least_busy_is_chosen_wherever_it_stands() {
        for turn in 0..6 {
            let servers = [server(3, 1), server(1, 1), server(2, 1)];
            assert_eq!(of(&servers, turn), Some(1));
        }
    }

    #[test]
    fn those_alike_take_turns() {
        for weights in [[1; 3], [256; 3]] {
            let counts = single(&weights, 300);
            assert!(
                counts.iter().all(|count| count.abs_diff(100) <= 2),
                "{counts:?}"
            );
            let few = single(&weights, 6);
            assert!(few.iter().all(|count| (1..=3).contains(count)), "{few:?}");
        }
    }

    #[test]
    fn weights_are_shares_under_load_and_without() {
        assert_eq!(piled(&[1, 1, 1], 300), [100, 100, 100]);
        assert_eq!(piled(&[3, 1], 400), [300, 100]);
        let counts = single(&[3, 1], 400);
        assert!(counts[0].abs_diff(300) <= 2, "{counts:?}");
    }

    #[test]
    fn what_must_not_be_used_is_not() {
        assert_eq!(of(&[], 7), None);
        assert_eq!(of(&[server(0, 0); 4], 2), None);
        for turn in 0..4 {
            let servers = [server(0, 0), server(usize::MAX, u32::MAX)];
            assert_eq!(of(&servers, turn), Some(1));
        }
    }
}
