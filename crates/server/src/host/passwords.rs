//! Passwords, hashed and compared on blocking threads.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use tidegate_core::error::{Code, Error};
use tidegate_web::HostError;
use tokio::sync::Semaphore;

use crate::net::network;

/// How many are worked on at once in each lane. Each takes 19 MiB and a core for some tens of milliseconds, and check-ins
/// are to have the other cores.
const AT_ONCE: usize = 1;
/// How many may wait besides. More are told to try again: a flood of attempts from many addresses is turned away after
/// a second's worth of work, and takes no memory.
const WAITING_MAX: usize = 32;

/// Networks that are known at a time: people of a large organization, at home and in hotels. Past it the oldest half is
/// forgotten, and has to get through with the strangers once.
const KNOWN_MAX: usize = 4_096;

/// What one guess costs, in KiB, passes and lanes: the first choice of OWASP's Password Storage Cheat Sheet (Argon2id)
/// for a machine that has other things to do.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// What a password is compared with where there is no hash: of the same cost as any, and of no known password.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Where passwords are worked on: one lane for networks from which somebody signed in before, and one for the others.
/// Strangers who guess from many addresses fill theirs, and people still get in. What is known is read from the sessions
/// when the process starts, so a restart under attack locks nobody out.
#[derive(Clone, Debug, Default)]
pub(super) struct Passwords {
    strangers: Lane,
    known: Lane,
    networks: Arc<Mutex<Known>>,
}

#[derive(Clone, Debug)]
struct Lane {
    places: Arc<Semaphore>,
    asked: Arc<AtomicUsize>,
}

impl Default for Lane {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), asked: Arc::default() }
    }
}

/// Networks from which somebody signed in, in two generations.
#[derive(Debug, Default)]
struct Known {
    young: HashSet<IpAddr>,
    old: HashSet<IpAddr>,
}

impl Passwords {
    /// Judges a new one, of a person who is signed in.
    pub(super) async fn judge(&self, password: String, email: String) -> Result<(), HostError> {
        self.known.work(move || Ok(tidegate_web::check_password(&password, &email)?)).await
    }

    /// Notes that somebody signed in from these addresses.
    pub(super) fn know(&self, addresses: impl IntoIterator<Item = IpAddr>) {
        let mut networks = self.networks.lock().unwrap_or_else(PoisonError::into_inner);
        for address in addresses {
            if networks.young.len() >= KNOWN_MAX / 2 {
                networks.old = std::mem::take(&mut networks.young);
            }
            networks.young.insert(network(address));
        }
    }

    /// Hashes with a salt made of `entropy`, for somebody who is signed in.
    pub(super) async fn hash(&self, password: String, entropy: [u8; 32]) -> Result<String, HostError> {
        self.known.work(move || hash(&password, &entropy[..16])).await
    }

    /// Compares for a request from `address`; without a hash it takes as long and is never right.
    pub(super) async fn verify(
        &self,
        password: String,
        hash: Option<String>,
        address: Option<IpAddr>,
    ) -> Result<bool, HostError> {
        let compare = move || {
            let is_right = verify(&password, hash.as_deref().unwrap_or(NOBODYS))?;
            Ok(is_right && hash.is_some())
        };
        self.lane(address).work(compare).await
    }

    fn lane(&self, address: Option<IpAddr>) -> &Lane {
        let networks = self.networks.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = address
            .map(network)
            .is_some_and(|network| networks.young.contains(&network) || networks.old.contains(&network));
        if is_known { &self.known } else { &self.strangers }
    }
}

impl Lane {
    /// Runs `work` when there is a place for it.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, HostError> + Send + 'static,
    ) -> Result<T, HostError> {
        let asked = Asked::new(&self.asked)?;
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| HostError::ShuttingDown)?;
        // The work keeps its place, also when whoever asked is gone: it cannot be called off.
        let working = tokio::task::spawn_blocking(move || {
            let done = work();
            drop((place, asked));
            done
        });
        match working.await {
            Ok(done) => done,
            Err(error) if error.is_panic() => Err(internal(&"a password's hashing panicked")),
            Err(_) => Err(HostError::ShuttingDown),
        }
    }
}

/// One who asked and has no answer yet.
struct Asked(Arc<AtomicUsize>);

impl Asked {
    fn new(asked: &Arc<AtomicUsize>) -> Result<Self, HostError> {
        let one = Self(Arc::clone(asked));
        if asked.fetch_add(1, Ordering::Relaxed) >= AT_ONCE + WAITING_MAX {
            return Err(HostError::Busy);
        }
        Ok(one)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn hash(password: &str, salt: &[u8]) -> Result<String, HostError> {
    let hashed: PasswordHash =
        argon2()?.hash_password_with_salt(password.as_bytes(), salt).map_err(|error| internal(&error))?;
    Ok(hashed.to_string())
}

fn verify(password: &str, hash: &str) -> Result<bool, HostError> {
    let parsed = PasswordHash::new(hash).map_err(|error| internal(&error))?;
    match argon2()?.verify_password(password.as_bytes(), &parsed) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(internal(&error)),
    }
}

fn argon2() -> Result<Argon2<'static>, HostError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| internal(&error))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn internal(error: &dyn std::fmt::Display) -> HostError {
    HostError::Core(Error::problem(Code::Internal, format!("failed to work on a password: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_right_password_compares_and_no_other_does() {
        let passwords = Passwords::default();
        let one = passwords.hash("correct horse battery".into(), [1; 32]).await.unwrap();
        let other = passwords.hash("correct horse battery".into(), [2; 32]).await.unwrap();
        assert_ne!(one, other, "the salt differs");
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        let verify = |password: &str, hash: Option<&str>| {
            passwords.verify(password.to_owned(), hash.map(str::to_owned), None)
        };
        assert_eq!(verify("correct horse battery", Some(&one)).await, Ok(true));
        assert_eq!(verify("Correct horse battery", Some(&one)).await, Ok(false));
        assert_eq!(verify("correct horse battery", None).await, Ok(false));
        assert!(matches!(verify("x", Some("no hash")).await, Err(HostError::Core(_))));
    }

    #[test]
    fn nobodys_hash_costs_what_every_hash_costs() {
        let made = hash("correct horse battery", &[1; 16]).unwrap();
        let (nobodys, made) = (PasswordHash::new(NOBODYS).unwrap(), PasswordHash::new(&made).unwrap());
        assert_eq!((nobodys.algorithm, nobodys.version), (made.algorithm, made.version));
        assert_eq!(nobodys.params, made.params);
        assert_eq!(nobodys.salt.unwrap().len(), made.salt.unwrap().len());
        assert_eq!(nobodys.hash.unwrap().len(), made.hash.unwrap().len());
    }

    #[tokio::test]
    async fn strangers_wait_in_a_lane_of_their_own_and_past_its_end_are_told() {
        let [known, stranger] = [IpAddr::from([192, 0, 2, 1]), IpAddr::from([198, 51, 100, 1])];
        let all = Passwords::default();
        all.know([known]);
        let lane = all.lane(Some(stranger)).clone();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let released = Arc::new(Mutex::new(released));
        let (entered, mut entering) = tokio::sync::mpsc::unbounded_channel();
        let ask = || {
            let (lane, released, entered) = (lane.clone(), Arc::clone(&released), entered.clone());
            tokio::spawn(async move {
                let work = move || {
                    entered.send(()).unwrap();
                    released.lock().unwrap().recv().unwrap();
                    Ok(())
                };
                lane.work(work).await
            })
        };
        let asked: Vec<_> = (0..AT_ONCE + WAITING_MAX).map(|_| ask()).collect();
        for _ in 0..AT_ONCE {
            entering.recv().await.unwrap();
        }
        while lane.asked.load(Ordering::Relaxed) < asked.len() {
            tokio::task::yield_now().await;
        }
        assert!(entering.try_recv().is_err(), "the next waits");
        let beyond = ask();
        while !beyond.is_finished() && lane.asked.load(Ordering::Relaxed) <= asked.len() {
            tokio::task::yield_now().await;
        }
        assert!(beyond.is_finished(), "it is told at once");
        assert_eq!(beyond.await.unwrap(), Err(HostError::Busy));
        let right = all.hash("correct horse battery".into(), [1; 32]).await.unwrap();
        let verify = |address| all.verify("correct horse battery".into(), Some(right.clone()), Some(address));
        assert_eq!(verify(known).await, Ok(true), "who signed in from there before gets in");
        assert_eq!(verify(stranger).await, Err(HostError::Busy));
        for _ in &asked {
            release.send(()).unwrap();
        }
        for one in asked {
            assert_eq!(one.await.unwrap(), Ok(()));
        }
        assert_eq!(lane.asked.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_is_known_is_bounded_and_a_whole_network_is_known() {
        let passwords = Passwords::default();
        passwords.know((0..100_000_u32).map(|number| IpAddr::V4(number.into())));
        let networks = passwords.networks.lock().unwrap();
        assert!(networks.young.len() + networks.old.len() <= KNOWN_MAX);
        drop(networks);
        passwords.know(["2001:db8::1".parse().unwrap()]);
        assert!(std::ptr::eq(passwords.lane("2001:db8::2".parse().ok()), &raw const passwords.known));
        assert!(std::ptr::eq(passwords.lane(None), &raw const passwords.strangers));
    }
}
