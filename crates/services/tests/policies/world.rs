//! What every test starts from: a database of its own, a clock that stands, one project.

use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use db::databases::answers;
use domain::clock::Clock;
use domain::id::{OrganisationId, ProjectId};
use queue::connection::{Redis, RedisOptions};
use services::access::{Actor, Grants};
use services::error::FieldError;
use services::projects::{NewProject, Project};
use services::queues::{QueueSettings, Queues};
use services::retention::PolicyChange;
use services::vault::Vault;
use services::{Error, Options, Services};
use testkit::TestDb;

/// A clock that stands until it is set: two changes may happen in one instant.
#[derive(Debug)]
pub(crate) struct Standing(Mutex<DateTime<Utc>>);

impl Clock for Standing {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().expect("not poisoned")
    }

    fn set(&self, instant: DateTime<Utc>) -> bool {
        *self.0.lock().expect("not poisoned") = instant;
        true
    }
}

pub(crate) struct World {
    pub(crate) services: Arc<Services>,
    pub(crate) clock: Arc<Standing>,
    /// The product itself, which may do everything.
    pub(crate) system: Actor,
    pub(crate) organisation: OrganisationId,
    pub(crate) project: ProjectId,
    /// Holds the project's key.
    pub(crate) admin: Actor,
    /// Last, so that the pool above is gone first.
    database: TestDb,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With other options than usual.
    pub(crate) async fn with(change: impl FnOnce(&mut Options)) -> Self {
        let database = testkit::database().await;
        let start: DateTime<Utc> = "2026-11-20T12:00:00Z".parse().expect("a time");
        let clock = Arc::new(Standing(Mutex::new(start)));
        let mut options = Options::default();
        options.partitions.days_ahead = 1;
        change(&mut options);
        let services = Arc::new(open(&database, &clock, options));
        let system = Actor::system();
        let organisation = services::organisations::create(&services, &system, "Acme")
            .await
            .expect("made")
            .id;
        let (project, admin) = new_project(&services, &system, organisation, "Shop").await;
        Self {
            services,
            clock,
            system,
            organisation,
            project: project.id,
            admin,
            database,
        }
    }

    /// Another process on the same database, with other options.
    pub(crate) fn process(&self, change: impl FnOnce(&mut Options)) -> Services {
        let mut options = self.services.options.clone();
        change(&mut options);
        open(&self.database, &self.clock, options)
    }

    /// Another project, and who holds its key.
    pub(crate) async fn new_project(&self, name: &str) -> (Project, Actor) {
        new_project(&self.services, &self.system, self.organisation, name).await
    }

    /// Who holds a key that only reads.
    pub(crate) fn viewer(&self) -> Actor {
        Actor {
            grants: Grants::Projects(vec![(self.project, domain::role::Role::Viewer)]),
            ..self.admin.clone()
        }
    }

    /// Changes the policy as the project's admin, with its name typed.
    pub(crate) async fn keep(&self, on: bool, days: &str) {
        let change = policy(on, days);
        services::retention::save(&self.services, &self.admin, self.project, &change, Some("Shop"))
            .await
            .expect("saved");
    }

    /// The first column of every row that SQL of the test's own gives.
    pub(crate) async fn sql(&self, sql: &str) -> Vec<String> {
        answers(&self.database.db, sql).await.expect("sound SQL")
    }

    /// Everything that was written down, newest first, as one text.
    pub(crate) async fn audit(&self) -> Vec<services::audit::AuditRow> {
        let query = services::audit::AuditQuery {
            page: services::page::PageRequest::first(100),
            ..services::audit::AuditQuery::default()
        };
        services::audit::list(&self.services, &self.system, query)
            .await
            .expect("listed")
            .items
    }

    /// Since when rows may lie in other classes than they should.
    pub(crate) async fn reclass_since(&self) -> Option<DateTime<Utc>> {
        services::retention::get(&self.services, &self.system, self.project)
            .await
            .expect("found")
            .reclass_since
    }

    pub(crate) fn at(&self, text: &str) {
        self.clock.set(text.parse().expect("a time"));
    }
}

fn open(database: &TestDb, clock: &Arc<Standing>, options: Options) -> Services {
    let shared: Arc<dyn Clock> = Arc::<Standing>::clone(clock);
    // Nobody listens there: policies never need Redis.
    let redis = Redis::new(RedisOptions::new("redis://127.0.0.1:1")).expect("an address");
    let queues = Queues::open(&redis, &QueueSettings::default(), &shared).expect("opens");
    Services::new(database.db.clone(), queues, shared, Vault::new(&[7; 32]), options)
}

async fn new_project(
    services: &Services,
    system: &Actor,
    organisation: OrganisationId,
    name: &str,
) -> (Project, Actor) {
    let new = NewProject {
        organisation: Some(organisation),
        name: name.to_owned(),
        kind: "outgoing".to_owned(),
        ..NewProject::default()
    };
    let made = services::projects::create(services, system, new)
        .await
        .expect("made");
    let actor = services::api_keys::authenticate(services, &made.api_key.clear, None)
        .await
        .expect("a good key");
    (made.project, actor)
}

/// A change of on and days.
pub(crate) fn policy(on: bool, days: &str) -> PolicyChange {
    PolicyChange {
        on: Some(on),
        days: Some(days.to_owned()),
        ..PolicyChange::default()
    }
}

/// The refused fields, or a panic when it was something else.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(result: services::Result<T>) -> Vec<FieldError> {
    match result {
        Err(Error::Invalid(fields)) => fields,
        other => panic!("expected refused fields, got {other:?}"),
    }
}

/// The one refused field, and why.
#[track_caller]
pub(crate) fn one_refused<T: std::fmt::Debug>(result: services::Result<T>) -> (String, String) {
    let mut fields = refused(result);
    assert_eq!(fields.len(), 1, "{fields:?}");
    let field = fields.remove(0);
    (field.field, field.reason)
}
