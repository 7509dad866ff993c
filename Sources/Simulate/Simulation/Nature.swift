import Wire

/// What an item's handler will do: it stands in the payload, so that every worker knows it.
enum Nature: Equatable {
    case done
    /// Fails until this attempt.
    case doneAt(attempt: Int)
    case fails
    case failsForGood
    /// Runs until it is told to stop.
    case endless
    /// Ends the process that runs it.
    case poison

    private var code: (UInt8, UInt8) {
        switch self {
        case .done: (0, 0)
        case .doneAt(let attempt): (1, UInt8(attempt))
        case .fails: (2, 0)
        case .failsForGood: (3, 0)
        case .endless: (4, 0)
        case .poison: (5, 0)
        }
    }

    /// - Parameter duration: How long the handler takes; at most 65 s.
    func payload(_ duration: Duration) -> Content {
        let milliseconds = UInt16(clamping: duration.milliseconds)
        return Content.with {
            $0.data = .init([code.0, code.1, UInt8(milliseconds >> 8), UInt8(milliseconds & 0xFF)])
        }
    }

    init(_ payload: Content) {
        let bytes = payload.data
        guard bytes.count == 4 else {
            self = .done
            return
        }
        self =
            switch bytes[bytes.startIndex] {
            case 1: .doneAt(attempt: Int(bytes[bytes.startIndex + 1]))
            case 2: .fails
            case 3: .failsForGood
            case 4: .endless
            case 5: .poison
            default: .done
            }
    }

    static func duration(_ payload: Content) -> Duration {
        let bytes = payload.data
        guard bytes.count == 4 else { return .zero }
        return .milliseconds(Int(bytes[bytes.startIndex + 2]) << 8 | Int(bytes[bytes.startIndex + 3]))
    }

    /// What a handler brings for this item, and for no other.
    static func result(_ item: ItemRef) -> Content {
        Content.with { content in
            content.kind = .text
            content.data = item.withText { .init(bytes: $0.baseAddress!, count: $0.count) }
        }
    }

    static func isResult(_ content: Content, of item: ItemRef) -> Bool {
        guard content.kind == .text, content.unknownFields.data.isEmpty else { return false }
        return content.data.withUnsafeBytes { data in
            item.withText { data.count == $0.count && data.elementsEqual($0) }
        }
    }

    /// What a liar brings.
    static let lie = Content.with {
        $0.kind = .text
        $0.data = .init("lie".utf8)
    }
}
