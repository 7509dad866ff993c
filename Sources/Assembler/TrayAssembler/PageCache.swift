import DequeModule
import Wire

/// Pages of items that were accepted or read lately, so that most leases need not ask the store for their
/// payloads.
struct PageCache {
    struct Page {
        let firstIndex: Int
        let items: [Item]

        func contains(_ index: Int) -> Bool { (firstIndex..<firstIndex + items.count).contains(index) }
    }

    private struct Key: Hashable {
        let order: OrderID
        let firstIndex: Int
    }

    private let bytesMax: Int
    private var pages: [OrderID: [Page]] = [:]
    /// The oldest first; may name pages that are gone.
    private var ages: Deque<Key> = []
    private var pageCount = 0
    private(set) var byteCount = 0

    init(bytesMax: Int) { self.bytesMax = bytesMax }

    mutating func insert(_ order: OrderID, firstIndex: Int, items: [Item]) {
        guard !items.isEmpty, pages[order]?.contains(where: { $0.firstIndex == firstIndex }) != true else {
            return
        }
        let page = Page(firstIndex: firstIndex, items: items)
        let position = pages[order]?.firstIndex { $0.firstIndex > firstIndex } ?? pages[order]?.count ?? 0
        pages[order, default: []].insert(page, at: position)
        ages.append(Key(order: order, firstIndex: firstIndex))
        byteCount += PageCache.size(of: page)
        pageCount += 1
        while byteCount > bytesMax, let oldest = ages.popFirst() { remove(oldest) }
    }

    func page(of order: OrderID, containing index: Int) -> Page? {
        guard let candidates = pages[order] else { return nil }
        var (low, high) = (0, candidates.count)
        while low < high {
            let middle = (low + high) / 2
            if candidates[middle].firstIndex <= index { low = middle + 1 } else { high = middle }
        }
        guard low > 0, candidates[low - 1].contains(index) else { return nil }
        return candidates[low - 1]
    }

    mutating func remove(_ order: OrderID) {
        for page in pages.removeValue(forKey: order) ?? [] {
            byteCount -= PageCache.size(of: page)
            pageCount -= 1
        }
        // Names of pages that are gone must not outnumber the pages.
        guard ages.count > 64 + 2 * pageCount else { return }
        ages.removeAll { key in pages[key.order]?.contains { $0.firstIndex == key.firstIndex } != true }
    }

    private mutating func remove(_ key: Key) {
        guard let position = pages[key.order]?.firstIndex(where: { $0.firstIndex == key.firstIndex }),
            let page = pages[key.order]?.remove(at: position)
        else { return }
        byteCount -= PageCache.size(of: page)
        pageCount -= 1
        if pages[key.order]?.isEmpty == true { pages[key.order] = nil }
    }

    /// Payloads, and what an item takes beside them.
    private static func size(of page: Page) -> Int {
        page.items.reduce(0) { $0 + $1.payload.data.count + 200 }
    }
}
