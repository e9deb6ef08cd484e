// Ticks in the ways of the C++ library; see tests/programs/waits/ticker.rs for what it is told and answers.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <future>
#include <iostream>
#include <mutex>
#include <semaphore>
#include <shared_mutex>
#include <string>
#include <thread>
#include <unistd.h>

using namespace std::chrono_literals;
using wall = std::chrono::system_clock;
using mono = std::chrono::steady_clock;

constexpr auto period = 50ms;

struct Ticks {
    const char *name;
    std::atomic<uint64_t> count{0}, early{0};
    explicit Ticks(const char *called) : name(called) {}
};

static std::deque<Ticks> all;
static std::atomic<unsigned> woken{0}; // how often they were woken, twice; odd while that goes on

// Waits over and over until the clock is a period on.
template <class Clock, class Wait> static void tick(const char *name, Wait wait)
{
    Ticks &ticks = all.emplace_back(name);
    std::thread([&ticks, wait] {
        for (;;) {
            unsigned before = woken;
            auto deadline = Clock::now() + period;
            wait(deadline);
            if (Clock::now() >= deadline)
                ticks.count++;
            else if (before == woken && before % 2 == 0)
                ticks.early++;
        }
    }).detach();
}

static std::mutex lock;
static std::condition_variable changed;
static std::timed_mutex timed;
static std::shared_timed_mutex shared;
static std::counting_semaphore<> none{0}, never{0};
static std::promise<void> promise;
static std::shared_future<void> awaited;

// What waits for a lock of the main thread's: given it, it waits until the main thread has it back.
static std::atomic<int> waiters{0}, given{0};
static std::atomic<bool> held{true};

static void give_back()
{
    given++;
    while (!held)
        std::this_thread::sleep_for(1ms);
}

template <class Clock, class Wait> static void tick_at_lock(const char *name, Wait wait)
{
    waiters++;
    tick<Clock>(name, wait);
}

static void start()
{
    auto on_condition = [](auto deadline) {
        std::unique_lock guard(lock);
        changed.wait_until(guard, deadline);
    };
    tick<wall>("wall-condition_variable", on_condition);
    tick<mono>("condition_variable", on_condition);

    timed.lock();
    auto on_mutex = [](auto deadline) {
        if (timed.try_lock_until(deadline)) {
            timed.unlock();
            give_back();
        }
    };
    tick_at_lock<wall>("wall-timed_mutex", on_mutex);
    tick_at_lock<mono>("timed_mutex", on_mutex);

    shared.lock();
    tick_at_lock<wall>("wall-shared_timed_mutex", [](auto deadline) {
        if (shared.try_lock_until(deadline)) {
            shared.unlock();
            give_back();
        }
    });
    auto on_shared = [](auto deadline) {
        if (shared.try_lock_shared_until(deadline)) {
            shared.unlock_shared();
            give_back();
        }
    };
    tick_at_lock<wall>("wall-shared_timed_mutex(shared)", on_shared);
    tick_at_lock<mono>("shared_timed_mutex(shared)", on_shared);

    awaited = promise.get_future().share();
    auto on_future = [](auto deadline) {
        std::shared_future<void> now;
        {
            std::lock_guard guard(lock);
            now = awaited;
        }
        now.wait_until(deadline);
    };
    tick<wall>("wall-future", on_future);
    tick<mono>("future", on_future);

    // libstdc++ makes either deadline one of the steady clock, asks the other when that is over, and sleeps in steps.
    tick<wall>("wall-semaphore", [](auto deadline) { (void)none.try_acquire_until(deadline); });
    tick<mono>("semaphore", [](auto deadline) { (void)never.try_acquire_until(deadline); });
}

static void wake()
{
    woken++;
    std::promise<void> kept;
    {
        std::lock_guard guard(lock);
        changed.notify_all();
        kept = std::move(promise);
        promise = {};
        awaited = promise.get_future().share();
    }
    kept.set_value();
    none.release();
    given = 0;
    held = false;
    timed.unlock();
    shared.unlock();
    while (given < waiters)
        std::this_thread::sleep_for(1ms);
    timed.lock();
    shared.lock();
    held = true;
    woken++;
}

static void pend()
{
    std::thread([deadline = wall::now() + 1h] {
        std::mutex own;
        std::condition_variable never;
        std::unique_lock guard(own);
        never.wait_until(guard, deadline, [] { return false; });
        std::cout << "fired" << std::endl;
    }).detach();
}

int main()
{
    start();
    std::cout << "ready " << getpid() << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        if (line == "ticks") {
            for (Ticks &ticks : all)
                std::cout << ticks.name << ':' << ticks.count << ':' << ticks.early << ' ';
            std::cout << std::endl;
        } else if (line == "wake") {
            wake();
            std::cout << "woken" << std::endl;
        } else if (line == "pend") {
            pend();
            std::cout << "pending" << std::endl;
        }
    }
    _exit(0);
}
