import AssemblerCore
import ZeroMQ

/// The endpoints of an assembler, and the count of the connections that they have seen.
struct Doors: ~Copyable {
    var orders: Door
    var kitchen: Door
    var events: EventDoor
    private var connectionNumber: UInt64 = 0

    private static let roundMessageCountMax = 2_000
    private static let roundBytesMax = 4 << 20

    init(_ options: AssemblerService.Options, thread: PollingThread) throws(ZeroMQError) {
        let context = try Context()
        let orders = try Door(.orders, at: options.orders, context: context, thread: thread)
        let kitchen = try Door(.kitchen, at: options.kitchen, context: context, thread: thread)
        let events = try EventDoor(at: options.events, context: context, thread: thread)
        self.orders = orders
        self.kitchen = kitchen
        self.events = events
    }

    var addresses: AssemblerService.Addresses {
        AssemblerService.Addresses(
            orders: orders.address, kitchen: kitchen.address, events: events.address)
    }

    /// What has arrived, as much as a round takes.
    mutating func receive() throws(ZeroMQError) -> (kitchen: Door.Batch, orders: Door.Batch) {
        let fromKitchen = try kitchen.receive(
            countMax: Doors.roundMessageCountMax, bytesMax: Doors.roundBytesMax, numbers: &connectionNumber)
        let fromOrders = try orders.receive(
            countMax: Doors.roundMessageCountMax, bytesMax: Doors.roundBytesMax, numbers: &connectionNumber)
        return (fromKitchen, fromOrders)
    }

    /// Where this peer is, as far as it is known.
    func place(of connection: ConnectionID) -> DoorPlace? {
        orders.place(of: connection) ?? kitchen.place(of: connection)
    }

    mutating func forget(_ connection: ConnectionID) {
        orders.forget(connection)
        kitchen.forget(connection)
    }

    consuming func close(thread: PollingThread) {
        orders.close(thread: thread)
        kitchen.close(thread: thread)
        events.close(thread: thread)
    }
}
