// Holds a lease and works under it, by the JVM's monotonic clock, beside an executor that ticks. Says "ready", and answers "report" with
// NAME:NUMBER words: ticks so far, the longest gap between two of them in ms, the most ticks within 100 ms, how often the lease was
// renewed, how often it was found to have ended, and how long ago it had ended then at most in ms.

import java.io.*;
import java.util.concurrent.*;

public class Lease {
    static final long TICK = 20, LEASE = 2000, RENEW = 200;
    static final ConcurrentLinkedDeque<Long> recent = new ConcurrentLinkedDeque<>();
    static volatile long ticks, gap, burst, renewals, losses, late;

    static long now() { return System.nanoTime() / 1_000_000; }

    static void tick() {
        long now = now();
        Long last = recent.peekLast();
        if (last != null) gap = Math.max(gap, now - last);
        recent.addLast(now);
        while (recent.peekFirst() < now - 100) recent.removeFirst();
        burst = Math.max(burst, recent.size());
        ticks++;
    }

    /** A renewal is accepted while the lease lasts; afterwards another may hold it, and it is acquired anew. */
    static void hold() throws InterruptedException {
        for (long end = now() + LEASE; ; Thread.sleep(RENEW)) {
            long now = now();
            if (now >= end) { losses++; late = Math.max(late, now - end); }
            else renewals++;
            end = now + LEASE;
        }
    }

    public static void main(String[] none) throws Exception {
        var executor = Executors.newScheduledThreadPool(1, work -> { var t = new Thread(work); t.setDaemon(true); return t; });
        executor.scheduleAtFixedRate(Lease::tick, 0, TICK, TimeUnit.MILLISECONDS);
        Thread holder = new Thread(() -> { try { hold(); } catch (InterruptedException over) { } });
        holder.setDaemon(true);
        holder.start();
        var in = new BufferedReader(new InputStreamReader(System.in));
        System.out.println("ready");
        while (in.readLine() != null) {
            System.out.printf("ticks:%d gap:%d burst:%d renewals:%d losses:%d late:%d%n", ticks, gap, burst, renewals, losses, late);
        }
    }
}
