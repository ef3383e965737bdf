//! Who acts in the organization: workloads, services, pipelines and people.
//!
//! Takes a place and what it owns, gives [`Actor`]s with the share of the work each does. Promises documentation
//! or private addresses only, and that nobody but the attacker ever calls from 192.0.2.0/24.
//!
//! Not here: how an actor gets its credentials (`issue`).

use super::call::Caller;
use super::chance::pick;
use super::identifier;
use super::inventory::Inventory;
use super::organization::{BUILD, MANAGEMENT, Organization, PRODUCTION, Place};
use super::record::Endpoint;
use super::resource::Patterns;
use super::session::Session;
use super::template::PEOPLE;
use fastrand::Rng;

/// The address from which the office reaches AWS.
pub(super) const OFFICE_IP: &str = "203.0.113.5";
/// The address of the build agent whose key leaks.
pub(super) const BUILD_AGENT_IP: &str = "203.0.113.9";
/// The IAM user of that agent.
pub(super) const BUILD_AGENT: &str = "build-agent-mio.tanaka";

// Which of its account's keys a user has.
const BUILD_AGENT_SERIAL: u64 = 0;
const PERSON_SERIAL: u64 = 1;
/// The key of the user whom the attacker creates.
pub(super) const COMEBACK_SERIAL: u64 = 2;
// One tool a Region at most.
const FIRST_TOOL_SERIAL: u64 = 3;

const SDK_AGENTS: [&str; 6] = [
    "Boto3/1.35.42 md/Botocore#1.35.42 ua/2.0 os/linux#6.1.112 lang/python#3.11.9",
    "aws-sdk-java/2.28.16 md/io#async md/http#NettyNio ua/2.1 os/Linux#6.1.112 lang/java#21.0.4 md/en_US",
    "aws-sdk-go-v2/1.32.3 ua/2.1 os/linux lang/go#1.23.1 md/GOOS#linux md/GOARCH#arm64 api/s3#1.66.2 m/E,g",
    "aws-sdk-js/3.667.0 ua/2.1 os/linux#5.10.224 lang/js md/nodejs#20.17.0 exec-env/AWS_Lambda_nodejs20.x m/E",
    "aws-sdk-rust/1.3.7 ua/2.1 api/dynamodb/1.53.0 os/linux lang/rust/1.83.0 exec-env/AWS_Lambda_rust",
    "Boto3/1.34.145 md/Botocore#1.34.145 ua/2.0 os/linux#5.10.224 lang/python#3.12.6 exec-env/AWS_Lambda_python3.12",
];
const SSM_AGENT: &str = "aws-sdk-go/1.55.5 (go1.22.7; linux; arm64) amazon-ssm-agent/3.3.987.0";
const SCANNER_AGENT: &str =
    "Boto3/1.35.10 md/Botocore#1.35.10 ua/2.0 os/linux#5.10.225 lang/python#3.12.5 exec-env/AWS_ECS_FARGATE";
const PIPELINE_AGENT: &str =
    "aws-sdk-js/3.654.0 ua/2.1 os/linux#6.8.0-1014-azure lang/js md/nodejs#20.13.1 configure-aws-credentials";
const TERRAFORM_AGENT: &str = "APN/1.0 HashiCorp/1.0 Terraform/1.9.5 (+https://www.terraform.io) \
     terraform-provider-aws/5.70.0 aws-sdk-go-v2/1.31.0 ua/2.1 os/linux lang/go#1.23.0 md/GOARCH#amd64";
const CLI_AGENT: &str =
    "aws-cli/2.17.56 md/awscrt#0.21.2 ua/2.0 os/macos#23.6.0 md/arch#arm64 lang/python#3.12.6 md/prompt#off";
const BROWSERS: [&str; 3] = [
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
];

/// How an actor comes by its credentials.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// EC2 assumes the instance's role.
    Instance,
    /// Lambda assumes the function's role.
    Function,
    /// ECS assumes the task's role.
    Task,
    /// A service assumes its linked role.
    Linked {
        /// The service.
        host: &'static str,
    },
    /// A role of another account is assumed from the scanner's session.
    Scanner,
    /// A role of another account is assumed from the pipeline's session.
    Pipeline,
    /// A job outside AWS assumes a role with a web identity token.
    WebIdentity,
    /// A person comes through Identity Center, to the console or with a tool.
    Workforce,
    /// An IAM user signs in to the console.
    ConsoleUser,
    /// An IAM user asks for a session with a second factor.
    TokenUser {
        /// The user's own key.
        key: String,
    },
    /// An IAM user signs with its own key.
    KeyUser {
        /// That key.
        key: String,
    },
    /// The root user signs in.
    Root,
}

/// Someone or something that makes calls.
#[derive(Clone, Debug)]
pub(super) struct Actor {
    /// How it comes by its credentials.
    pub(super) origin: Origin,
    /// What it does with them.
    pub(super) caller: Caller,
    /// The index of its account.
    pub(super) account: usize,
    /// The path of its role, without the leading slash.
    pub(super) path: &'static str,
    /// The name of its role or user.
    pub(super) name: String,
    /// The principal id of its role or user.
    pub(super) id: String,
    /// The name of its sessions.
    pub(super) label: String,
    /// Where it calls from.
    pub(super) ip: String,
    /// The user agent of its calls.
    pub(super) agent: &'static str,
    /// The endpoint its calls come through.
    pub(super) endpoint: Option<Endpoint>,
    /// How long its credentials live, in seconds.
    pub(super) lifetime: i64,
    /// The credentials it holds.
    pub(super) session: Option<Session>,
}

impl Actor {
    fn new(origin: Origin, caller: Caller, account: usize, rng: &mut Rng) -> Self {
        let id = identifier::principal(rng, "AROA");
        let lifetime = rng.i64(24..48) * 900;
        let (name, label, ip) = (String::new(), String::new(), String::new());
        let agent = pick(&SDK_AGENTS, rng.u64(..));
        Self {
            origin,
            caller,
            account,
            path: "",
            name,
            id,
            label,
            ip,
            agent,
            endpoint: None,
            lifetime,
            session: None,
        }
    }
}

/// How many workloads a place has, and the share of the turns of each.
#[derive(Clone, Copy, Debug)]
struct Crew {
    instances: usize,
    functions: usize,
    tasks: usize,
    share: u32,
}

const BUSY: Crew = Crew { instances: 18, functions: 24, tasks: 12, share: 9 };
const QUIET: Crew = Crew { instances: 3, functions: 5, tasks: 2, share: 48 };

/// The workloads of a place, each with its share of the records.
pub(super) fn workloads(
    organization: &Organization,
    place: Place,
    inventory: &Inventory,
    (patterns, rng): (&Patterns, &mut Rng),
) -> Vec<(u32, Actor)> {
    let account = place.account;
    let names = |kind: &str| {
        patterns.kinds.iter().position(|known| known == kind).map_or(&[][..], |at| inventory.all(at))
    };
    let roles = names("role");
    let role = |rng: &mut Rng| rng.choice(roles).cloned().unwrap_or_default();
    let crew = if organization.weight(place) > 20_000 { BUSY } else { QUIET };
    let mut cast = Vec::new();
    for instance in names("instance").iter().take(crew.instances) {
        let mut actor = Actor::new(Origin::Instance, Caller::Instance, account, rng);
        (actor.name, actor.label) = (role(rng), instance.clone());
        actor.ip = nat_ip(organization, place);
        if rng.u8(0..3) == 0 {
            actor.agent = SSM_AGENT;
        } else if rng.bool() {
            actor.ip = format!("10.{}.{}.{}", rng.u8(0..4), rng.u8(1..9), rng.u8(4..250));
            actor.endpoint = Some(endpoint(organization.account(account), rng));
        }
        cast.push((crew.share, actor));
    }
    for function in names("function").iter().take(crew.functions) {
        let mut actor = Actor::new(Origin::Function, Caller::Function, account, rng);
        (actor.name, actor.label) = (role(rng), function.clone());
        actor.ip = format!("198.51.100.{}", rng.u8(10..120));
        cast.push((crew.share, actor));
    }
    for _ in 0..crew.tasks {
        let mut actor = Actor::new(Origin::Task, Caller::Task, account, rng);
        (actor.name, actor.label) = (role(rng), identifier::owned(|out| identifier::hex(out, rng, 32)));
        actor.ip = nat_ip(organization, place);
        cast.push((crew.share, actor));
    }
    cast.extend(linked(account, rng));
    cast.extend(visitors(organization, place, rng));
    cast
}

/// The service-linked roles of an account.
fn linked(account: usize, rng: &mut Rng) -> Vec<(u32, Actor)> {
    let known = [
        (
            116,
            Caller::Recorder,
            "config.amazonaws.com",
            "AWSServiceRoleForConfig",
            "AWSConfig-Describe",
            "aws-service-role/config.amazonaws.com/",
        ),
        (
            52,
            Caller::Recorder,
            "securityhub.amazonaws.com",
            "AWSServiceRoleForSecurityHub",
            "securityhub",
            "aws-service-role/securityhub.amazonaws.com/",
        ),
        (
            74,
            Caller::Linked,
            "autoscaling.amazonaws.com",
            "AWSServiceRoleForAutoScaling",
            "AutoScaling",
            "aws-service-role/autoscaling.amazonaws.com/",
        ),
        (
            46,
            Caller::Linked,
            "ecs.amazonaws.com",
            "AWSServiceRoleForECS",
            "ecs-service-scheduler",
            "aws-service-role/ecs.amazonaws.com/",
        ),
    ];
    known
        .into_iter()
        .map(|(share, caller, host, name, label, path)| {
            let mut actor = Actor::new(Origin::Linked { host }, caller, account, rng);
            (actor.name, actor.label, actor.path) = (name.to_owned(), label.to_owned(), path);
            (actor.ip, actor.agent, actor.lifetime) = (host.to_owned(), host, 3_600);
            (share, actor)
        })
        .collect()
}

/// Those who come from another account, and the build agents of the one account that has them.
fn visitors(organization: &Organization, place: Place, rng: &mut Rng) -> Vec<(u32, Actor)> {
    let account = place.account;
    let mut scanner = Actor::new(Origin::Scanner, Caller::Auditor, account, rng);
    (scanner.name, scanner.label) = ("SecurityAudit".to_owned(), "posture-scan".to_owned());
    (scanner.ip, scanner.agent) = ("203.0.113.14".to_owned(), SCANNER_AGENT);
    scanner.lifetime = 3_600;
    let mut deployer = Actor::new(Origin::Pipeline, Caller::Deployment, account, rng);
    (deployer.name, deployer.label) = ("DeploymentRole".to_owned(), "release".to_owned());
    (deployer.ip, deployer.agent) = (format!("198.51.100.{}", rng.u8(200..230)), PIPELINE_AGENT);
    deployer.lifetime = 3_600;
    let mut cast = vec![(180, scanner), (66, deployer)];
    if place == organization.home(BUILD) {
        let key = identifier::long_term_key(organization.account(BUILD), BUILD_AGENT_SERIAL);
        let mut agent = key_user(Origin::KeyUser { key }, Caller::Tool, account, rng);
        (agent.name, agent.ip, agent.agent) =
            (BUILD_AGENT.to_owned(), BUILD_AGENT_IP.to_owned(), TERRAFORM_AGENT);
        cast.push((90, agent));
    } else if account == BUILD || rng.u8(0..3) == 0 {
        let serial = FIRST_TOOL_SERIAL + u64::try_from(place.region).unwrap_or_default();
        let key = identifier::long_term_key(organization.account(account), serial);
        let mut agent = key_user(Origin::KeyUser { key }, Caller::Tool, account, rng);
        agent.name = format!("svc-{}", pick(&["backup", "jenkins", "metrics", "sync"], rng.u64(..)));
        (agent.ip, agent.agent) = (format!("203.0.113.{}", rng.u8(220..250)), TERRAFORM_AGENT);
        cast.push((24, agent));
    }
    cast
}

fn key_user(origin: Origin, caller: Caller, account: usize, rng: &mut Rng) -> Actor {
    let mut actor = Actor::new(origin, caller, account, rng);
    actor.id = identifier::principal(rng, "AIDA");
    actor
}

/// The people who work in an account, whatever the Region.
pub(super) fn people(account: usize, account_id: &str, rng: &mut Rng) -> Vec<Actor> {
    let mut cast = Vec::new();
    for seat in 0..4_u64 {
        let name = pick(&PEOPLE, u64::try_from(account).unwrap_or_default() * 3 + seat);
        let origin = match seat {
            0 | 1 => Origin::Workforce,
            2 => Origin::ConsoleUser,
            _ => Origin::TokenUser { key: identifier::long_term_key(account_id, PERSON_SERIAL) },
        };
        let mut actor = key_user(origin, Caller::Person, account, rng);
        (actor.name, actor.label) = (name.to_owned(), format!("{name}@example.com"));
        actor.agent = if seat % 2 == 0 { pick(&BROWSERS, rng.u64(..)) } else { CLI_AGENT };
        if seat < 2 {
            actor.path = "aws-reserved/sso.amazonaws.com/eu-west-1/";
            let set = if account == PRODUCTION { "ReadOnlyAccess" } else { "PowerUserAccess" };
            actor.id = identifier::principal(rng, "AROA");
            let tail = identifier::owned(|out| identifier::hex(out, rng, 16));
            actor.name = format!("AWSReservedSSO_{set}_{tail}");
        }
        actor.ip = match rng.u8(0..5) {
            0 => format!("2001:db8:{:x}:{:x}::{:x}", rng.u16(1..), rng.u16(1..), rng.u16(1..)),
            1 => format!("198.51.100.{}", rng.u8(130..190)),
            _ => OFFICE_IP.to_owned(),
        };
        actor.lifetime = rng.i64(16..40) * 900;
        cast.push(actor);
    }
    if account == MANAGEMENT {
        let mut root = Actor::new(Origin::Root, Caller::Root, account, rng);
        (root.ip, root.agent) = (OFFICE_IP.to_owned(), pick(&BROWSERS, 0));
        cast.push(root);
    }
    cast
}

/// The scanner's own task in the security account.
pub(super) fn scanner(account: usize, rng: &mut Rng) -> Actor {
    let mut actor = Actor::new(Origin::Task, Caller::Task, account, rng);
    (actor.name, actor.label) =
        ("posture-scanner".to_owned(), identifier::owned(|out| identifier::hex(out, rng, 32)));
    (actor.ip, actor.agent, actor.lifetime) = ("203.0.113.14".to_owned(), SCANNER_AGENT, 21_600);
    actor
}

/// The pipeline's job in the build account.
pub(super) fn pipeline(account: usize, rng: &mut Rng) -> Actor {
    let mut actor = Actor::new(Origin::WebIdentity, Caller::Deployment, account, rng);
    (actor.name, actor.label) = ("GitHubRelease".to_owned(), "GitHubActions".to_owned());
    (actor.ip, actor.agent, actor.lifetime) = ("198.51.100.201".to_owned(), PIPELINE_AGENT, 3_600);
    actor
}

fn nat_ip(organization: &Organization, place: Place) -> String {
    format!("203.0.113.{}", 20 + organization.index(place) * 7 % 190)
}

fn endpoint(account: &str, rng: &mut Rng) -> Endpoint {
    let id = identifier::owned(|out| identifier::hex(out, rng, 16));
    Endpoint { id: format!("vpce-0{id}"), account: account.to_owned() }
}
