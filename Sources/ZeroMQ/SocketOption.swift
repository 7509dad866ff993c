import CZeroMQ

/// An integer option of a socket. Set it before `bind` or `connect`: most count for later connections only.
public enum SocketOption: Sendable {
    /// How long a closed socket tries to send what is pending, in milliseconds, 0 or more; 0 unless set.
    case linger
    /// Messages that may wait for one peer, going out and coming in; 0: no limit; 1,000 unless set.
    case sendHighWaterMark, receiveHighWaterMark
    /// Milliseconds between libzmq's own attempts to connect; 100 unless set.
    case reconnectInterval
    /// Bytes of the largest frame that is taken; a peer that sends more is disconnected. -1, the default: no
    /// limit.
    case maxMessageBytes
    /// Milliseconds that a handshake may take; 30,000 unless set.
    case handshakeInterval
    /// Connections that may wait to be accepted; 100 unless set.
    case backlog
    /// 1: host names stand for IPv6 addresses, 0: for IPv4 addresses; 1 unless set. Literal addresses need
    /// neither.
    case ipv6
    /// Whether, 1 or 0, the system asks over silent TCP connections if their other end is still there; and after
    /// how many seconds of silence, how many seconds apart, and how often in vain before it ends them.
    case keepAlive, keepAliveIdle, keepAliveInterval, keepAliveCount
    /// Whether, 1 or 0, a subscriber at its high-water mark makes a send `.full` instead of losing the
    /// message.
    case subscriberFullIsAnError

    var number: Int32 {
        switch self {
        case .linger: ZMQ_LINGER
        case .sendHighWaterMark: ZMQ_SNDHWM
        case .receiveHighWaterMark: ZMQ_RCVHWM
        case .reconnectInterval: ZMQ_RECONNECT_IVL
        case .maxMessageBytes: ZMQ_MAXMSGSIZE
        case .handshakeInterval: ZMQ_HANDSHAKE_IVL
        case .backlog: ZMQ_BACKLOG
        case .ipv6: ZMQ_IPV6
        case .keepAlive: ZMQ_TCP_KEEPALIVE
        case .keepAliveIdle: ZMQ_TCP_KEEPALIVE_IDLE
        case .keepAliveInterval: ZMQ_TCP_KEEPALIVE_INTVL
        case .keepAliveCount: ZMQ_TCP_KEEPALIVE_CNT
        case .subscriberFullIsAnError: ZMQ_XPUB_NODROP
        }
    }
}
