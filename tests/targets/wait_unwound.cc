// A thread that is cancelled in a wait unwinds: the destructors of its locals run, whatever frames lie between.
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <pthread.h>
#include <stdexcept>
#include <time.h>
#include <unistd.h>

static int destroyed;
static std::mutex mutex;
static std::condition_variable condition;
static std::timed_mutex timed;
static pthread_barrier_t barrier;

struct Local {
    ~Local() { destroyed++; }
};

static std::chrono::system_clock::time_point far() { return std::chrono::system_clock::now() + std::chrono::hours(1); }

static void in_condition() {
    Local inner;
    std::unique_lock<std::mutex> lock(mutex);
    pthread_barrier_wait(&barrier);
    for (;;) condition.wait_until(lock, far());
}
static void in_steady_condition() {
    Local inner;
    std::unique_lock<std::mutex> lock(mutex);
    pthread_barrier_wait(&barrier);
    for (;;) condition.wait_for(lock, std::chrono::hours(1));
}
static void in_sleep() {
    Local inner;
    auto until = far().time_since_epoch();
    timespec at = {std::chrono::duration_cast<std::chrono::seconds>(until).count(), 0};
    pthread_barrier_wait(&barrier);
    for (;;) clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &at, nullptr);
}

template <void (*wait)()> static void *thread(void *caught) {
    Local outer;
    try {
        wait();
    } catch (...) { // the forced unwind passes here, and must go on
        ++*static_cast<int *>(caught);
        throw;
    }
    return nullptr;
}

template <void (*wait)()> static void show(const char *name) {
    pthread_t handle;
    void *result = nullptr;
    int caught = 0;
    destroyed = 0;
    pthread_create(&handle, nullptr, thread<wait>, &caught);
    pthread_barrier_wait(&barrier);
    usleep(20000); // it may be cancelled before it waits as well as there
    pthread_cancel(handle);
    pthread_join(handle, &result);
    bool free = mutex.try_lock();
    if (free) mutex.unlock();
    std::printf("%s: cancelled %d, caught %d, destroyed %d, the lock is free %d\n", name, result == PTHREAD_CANCELED,
                caught, destroyed, free);
}

static void exceptions() {
    // What is thrown by whoever waited: an ordinary exception out of a frame above a wait that timed out.
    destroyed = 0;
    try {
        Local local;
        std::unique_lock<std::timed_mutex> lock(timed, std::chrono::system_clock::now() + std::chrono::milliseconds(5));
        if (!lock.owns_lock()) throw std::runtime_error("not owned");
        std::unique_lock<std::mutex> other(mutex);
        if (condition.wait_until(other, std::chrono::system_clock::now() + std::chrono::milliseconds(5)) ==
            std::cv_status::timeout)
            throw std::runtime_error("timeout");
    } catch (const std::exception &why) {
        std::printf("thrown: %s, destroyed %d\n", why.what(), destroyed);
    }
}

int main() {
    pthread_barrier_init(&barrier, nullptr, 2);
    show<in_condition>("condition_variable::wait_until(system_clock)");
    show<in_steady_condition>("condition_variable::wait_for");
    show<in_sleep>("clock_nanosleep");
    exceptions();
    return 0;
}
