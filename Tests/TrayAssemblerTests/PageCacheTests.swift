import Foundation
import Testing
import Wire

@testable import TrayAssembler

@Suite("The cache of pages")
struct PageCacheTests {
    private let order = OrderID(high: 1, low: 1)

    private func items(_ count: Int, bytes: Int = 0) -> [Item] {
        (0..<count).map { index in
            Item.with {
                $0.name = "\(index)"
                $0.payload.data = Data(repeating: 0, count: bytes)
            }
        }
    }

    @Test("finds the page of an item, whichever came first")
    func finds() {
        var cache = PageCache(bytesMax: 1 << 20)
        cache.insert(order, firstIndex: 256, items: items(100))
        cache.insert(order, firstIndex: 0, items: items(256))
        #expect(cache.page(of: order, containing: 0)?.firstIndex == 0)
        #expect(cache.page(of: order, containing: 255)?.firstIndex == 0)
        #expect(cache.page(of: order, containing: 256)?.firstIndex == 256)
        #expect(cache.page(of: order, containing: 355)?.firstIndex == 256)
        #expect(cache.page(of: order, containing: 356) == nil)
        #expect(cache.page(of: OrderID(high: 9, low: 9), containing: 0) == nil)
    }

    @Test("holds no more bytes than it may: the oldest pages leave first")
    func bounded() {
        var cache = PageCache(bytesMax: 100_000)
        for page in 0..<100 { cache.insert(order, firstIndex: page * 10, items: items(10, bytes: 1_000)) }
        #expect(cache.byteCount <= 100_000)
        #expect(cache.page(of: order, containing: 0) == nil)
        #expect(cache.page(of: order, containing: 999) != nil)
    }

    @Test("forgets an order whole, and its bytes")
    func forgets() {
        var cache = PageCache(bytesMax: 1 << 20)
        for number in 0..<1_000 {
            let order = OrderID(high: 2, low: UInt64(number))
            cache.insert(order, firstIndex: 0, items: items(3, bytes: 10))
            cache.remove(order)
        }
        #expect(cache.byteCount == 0)
    }

    @Test("counts a page that comes twice once")
    func twice() {
        var cache = PageCache(bytesMax: 1 << 20)
        cache.insert(order, firstIndex: 0, items: items(3))
        let once = cache.byteCount
        cache.insert(order, firstIndex: 0, items: items(3))
        #expect(cache.byteCount == once)
    }
}
