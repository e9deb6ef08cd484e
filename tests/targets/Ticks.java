// Ticks in the ways of the Java library; see tests/programs/waits/ticker.rs for what it is told and answers.
// ScheduledExecutorService and Thread.sleep count nanoTime. parkUntil, awaitUntil and java.util.Timer go by the wall clock.

import java.io.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.*;
import java.util.concurrent.locks.*;

public class Ticks {
    static final long PERIOD = 50;
    static final Map<String, Ticks> ALL = new LinkedHashMap<>();
    /** How often they were woken, twice; odd while that goes on. */
    static volatile int woken;

    final AtomicLong count = new AtomicLong(), early = new AtomicLong();

    interface Wait { void until(long deadline) throws Exception; }

    static Ticks named(String name) {
        Ticks ticks = new Ticks();
        ALL.put(name, ticks);
        return ticks;
    }

    /** Waits over and over until the wall clock is a period on. */
    static Thread wall(String name, Wait wait) {
        Ticks ticks = named(name);
        return daemon(() -> {
            for (;;) {
                int before = woken;
                long deadline = System.currentTimeMillis() + PERIOD;
                wait.until(deadline);
                if (System.currentTimeMillis() >= deadline) ticks.count.incrementAndGet();
                else if (before == woken && before % 2 == 0) ticks.early.incrementAndGet();
            }
        });
    }

    static Thread daemon(Callable<?> work) {
        Thread thread = new Thread(() -> {
            try { work.call(); } catch (Exception error) { throw new IllegalStateException(error); }
        });
        thread.setDaemon(true);
        thread.start();
        return thread;
    }

    static TimerTask task(Ticks ticks) {
        return new TimerTask() {
            public void run() {
                (System.currentTimeMillis() >= scheduledExecutionTime() ? ticks.count : ticks.early).incrementAndGet();
            }
        };
    }

    public static void main(String[] none) throws Exception {
        var executor = Executors.newScheduledThreadPool(1, work -> { var t = new Thread(work); t.setDaemon(true); return t; });
        executor.scheduleWithFixedDelay(named("ScheduledExecutor").count::incrementAndGet, 0, PERIOD, TimeUnit.MILLISECONDS);
        Ticks sleep = named("sleep");
        daemon(() -> { for (;;) { Thread.sleep(PERIOD); sleep.count.incrementAndGet(); } });

        Timer timer = new Timer(true);
        Ticks byTimer = named("wall-Timer");
        TimerTask task = task(byTimer);
        timer.schedule(task, 0, PERIOD);
        Thread parked = wall("wall-parkUntil", LockSupport::parkUntil);
        Lock lock = new ReentrantLock();
        Condition condition = lock.newCondition();
        wall("wall-awaitUntil", deadline -> {
            lock.lock();
            try { condition.awaitUntil(new Date(deadline)); } finally { lock.unlock(); }
        });

        var in = new BufferedReader(new InputStreamReader(System.in));
        System.out.println("ready " + ProcessHandle.current().pid());
        for (String line; (line = in.readLine()) != null; ) {
            switch (line) {
                case "ticks" -> {
                    var answer = new StringJoiner(" ");
                    ALL.forEach((name, ticks) -> answer.add(name + ":" + ticks.count + ":" + ticks.early));
                    System.out.println(answer);
                }
                case "wake" -> {
                    woken++;
                    LockSupport.unpark(parked);
                    lock.lock();
                    condition.signalAll();
                    lock.unlock();
                    woken++;
                    task.cancel();
                    task = task(byTimer);
                    timer.schedule(task, PERIOD, PERIOD);
                    System.out.println("woken");
                }
                case "pend" -> {
                    Date inAnHour = new Date(System.currentTimeMillis() + 3_600_000);
                    Lock own = new ReentrantLock();
                    Condition never = own.newCondition();
                    own.lock();
                    daemon(() -> {
                        own.lock();
                        while (never.awaitUntil(inAnHour)) { }
                        System.out.println("fired");
                        return null;
                    });
                    own.unlock();
                    System.out.println("pending");
                }
            }
        }
    }
}
