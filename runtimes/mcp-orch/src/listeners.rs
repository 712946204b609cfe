//! Where connections come from: sockets of the service manager, those of the hub whose place this one takes, or an
//! address of the command line.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::time::Duration;

use anyhow::{Context, bail};
use orch_config::cli::Serve;
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::handover;

/// Sockets that listen.
pub(crate) struct Listeners {
    pub sockets: Vec<TcpListener>,
    /// Whether somebody else has them too, and passes them on when this hub is gone.
    pub kept: bool,
    /// How long the hub that they were taken from may take to end; nothing where there was none.
    pub patience: Duration,
}

/// Listens as the command line says. An address that is in use is tried again for as long as `succession`.
pub(crate) async fn listen(args: &Serve, succession: Duration) -> anyhow::Result<Listeners> {
    check(args, args.host)?;
    let checked = |sockets: &[TcpListener]| {
        sockets.iter().try_for_each(|socket| check(args, socket.local_addr()?.ip()))
    };
    let sockets = of_service_manager().context("the sockets of the service manager")?;
    if !sockets.is_empty() {
        checked(&sockets)?;
        return Ok(Listeners { sockets, kept: true, patience: Duration::ZERO });
    }
    if args.takeover
        && let Some((sockets, patience)) = handover::take(&args.data_dir, checked).await?
    {
        return Ok(Listeners { sockets, kept: false, patience });
    }
    let sockets = bind(args.host, args.port, succession).await?;
    Ok(Listeners { sockets, kept: false, patience: Duration::ZERO })
}

/// An address that other machines reach needs a name to be reached by.
fn check(args: &Serve, address: IpAddr) -> anyhow::Result<()> {
    if !address.to_canonical().is_loopback() && args.allowed_hosts.is_empty() {
        bail!(
            "{address} can be reached from other machines: name the host that clients use with --allowed-host \
             (and put a proxy with TLS before the hub)"
        );
    }
    Ok(())
}

/// Binds the address; beside 127.0.0.1 also `[::1]` where there is one, since `localhost` may mean either.
async fn bind(host: IpAddr, port: u16, succession: Duration) -> anyhow::Result<Vec<TcpListener>> {
    let first = match first(host, port, succession).await {
        Ok(listener) => listener,
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            bail!(
                "port {port} on {host} is in use: stop the program that has it, take its place with --takeover if it \
                 is a hub of the same data directory, or take another port with --port"
            )
        }
        Err(error) => return Err(error).with_context(|| format!("cannot listen on {host}, port {port}")),
    };
    let bound = first.local_addr()?;
    let mut listeners = vec![first];
    if host == IpAddr::V4(Ipv4Addr::LOCALHOST) {
        let twin = SocketAddr::from((Ipv6Addr::LOCALHOST, bound.port()));
        listeners.extend(TcpListener::bind(twin).await.ok());
    }
    Ok(listeners)
}

/// The address, as soon as nobody else has it.
async fn first(host: IpAddr, port: u16, succession: Duration) -> io::Result<TcpListener> {
    let end = Instant::now() + succession;
    loop {
        match TcpListener::bind((host, port)).await {
            Err(error) if error.kind() == ErrorKind::AddrInUse && Instant::now() < end => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            done => return done,
        }
    }
}

/// The sockets that systemd, or whoever speaks like it (`sd_listen_fds(3)`), has opened for this process. No child gets
/// them, nor the variables that speak of them.
fn of_service_manager() -> io::Result<Vec<TcpListener>> {
    let mut sockets = Vec::new();
    for number in sd_notify::listen_fds()? {
        #[expect(unsafe_code, reason = "a file that was inherited has no other name than its number")]
        // SAFETY: it is open, for its flags were just set, and whoever has opened it left it to this process alone.
        let socket = unsafe { OwnedFd::from_raw_fd(number) };
        sockets.push(adopt(socket)?);
    }
    Ok(sockets)
}

/// A socket of somebody else, if it listens for TCP.
pub(crate) fn adopt(socket: OwnedFd) -> io::Result<TcpListener> {
    if !rustix::net::sockopt::socket_acceptconn(&socket)? {
        return Err(io::Error::new(ErrorKind::InvalidInput, "this is no socket that listens"));
    }
    let socket = std::net::TcpListener::from(socket);
    socket.set_nonblocking(true)?;
    // Fails for a socket of another family.
    socket.local_addr()?;
    TcpListener::from_std(socket)
}
