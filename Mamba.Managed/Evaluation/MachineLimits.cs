using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Mamba.Managed.Kernels.Simd;
using Mamba.Managed.Tensors;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Evaluation;

/// <summary>The measured peak of this machine: memory bandwidth bounds decode, multiply-adds bound prefill.</summary>
/// <param name="ReadGigabytesPerSecond">Bytes read from memory, in 10^9 a second; the ceiling of decode.</param>
/// <param name="FmaGigaflopsPerSecond">Float32 operations of fused multiply-adds, two each, in 10^9 a second; the ceiling of prefill.</param>
/// <remarks>The speed of a shared machine changes from second to second: compare only with work measured in the same run.</remarks>
internal sealed record MachineLimits(double ReadGigabytesPerSecond, double FmaGigaflopsPerSecond)
{
    private const int Rounds = 5;

    /// <summary>Measures for about a second; takes 512 MB meanwhile.</summary>
    /// <param name="threads">Threads that work together; 0 for one per processor.</param>
    /// <exception cref="ArgumentOutOfRangeException">A negative number of threads, or more than 1024.</exception>
    public static MachineLimits Measure(int threads = 0)
    {
        using WorkerPool pool = new(threads);
        using ReadRegion read = new();
        FmaRegion multiply = new();
        double readSeconds = Best(pool, read), multiplySeconds = Best(pool, multiply);
        return new(ReadRegion.Bytes / readSeconds / 1e9, (double)multiply.FlopsPerWorker * pool.Count / multiplySeconds / 1e9);
    }

    private static double Best(WorkerPool pool, IRegion region)
    {
        pool.Run(region);
        double best = double.MaxValue;
        for (int i = 0; i < Rounds; i++)
        {
            long start = Stopwatch.GetTimestamp();
            pool.Run(region);
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return best;
    }

    /// <summary>Sums a buffer far larger than any cache.</summary>
    private sealed unsafe class ReadRegion : IRegion, IDisposable
    {
        public const long Bytes = 512L << 20;

        private const int Lines = (int)(Bytes / 64);

        private readonly TensorBuffer buffer = TensorBuffer.Allocate(Bytes);
        private float total;

        public void Execute(Worker worker)
        {
            (int start, int end) = worker.Range(Lines);
            float* from = (float*)buffer.Pointer + (start * 16L);
            float* to = from + (((end - start) & ~3) * 16L);
            float sum = Vector256.IsHardwareAccelerated ? Vector256.Sum(Sum<Lanes256, Vector256<float>>(from, to))
                : Vector128.IsHardwareAccelerated ? Vector128.Sum(Sum<Lanes128, Vector128<float>>(from, to))
                : Sum<LanesScalar, float>(from, to);

            // The sum is stored, or the compiler could drop the reads.
            Volatile.Write(ref total, sum);
        }

        public void Dispose() => buffer.Dispose();

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static V Sum<L, V>(float* at, float* end)
            where L : struct, ILanes<V>
        {
            int lanes = L.Count;
            V a = L.Broadcast(0), b = a, c = a, d = a, e = a, f = a, g = a, h = a;
            for (; at < end; at += 8 * lanes)
            {
                a = L.Add(a, L.Load(at));
                b = L.Add(b, L.Load(at + lanes));
                c = L.Add(c, L.Load(at + (2 * lanes)));
                d = L.Add(d, L.Load(at + (3 * lanes)));
                e = L.Add(e, L.Load(at + (4 * lanes)));
                f = L.Add(f, L.Load(at + (5 * lanes)));
                g = L.Add(g, L.Load(at + (6 * lanes)));
                h = L.Add(h, L.Load(at + (7 * lanes)));
            }

            return L.Add(L.Add(L.Add(a, b), L.Add(c, d)), L.Add(L.Add(e, f), L.Add(g, h)));
        }
    }

    /// <summary>Twelve chains of multiply-adds in registers on every worker.</summary>
    private sealed class FmaRegion : IRegion
    {
        private float total;
        private long flops;

        /// <summary>Operations of one worker in one run; 0 before the first.</summary>
        public long FlopsPerWorker => Volatile.Read(ref flops);

        public void Execute(Worker worker)
        {
            FmaChains chains = default;
            Widths.Run(ref chains);
            Volatile.Write(ref total, chains.Result);
            Volatile.Write(ref flops, chains.Flops);
        }
    }

    /// <summary>Twelve independent chains: enough for two units of latency 4 or 5.</summary>
    private struct FmaChains : IKernel
    {
        private const int Steps = 2_000_000;

        public float Result { get; private set; }

        public long Flops { get; private set; }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public unsafe void Run<L, V>()
            where L : struct, ILanes<V>
        {
            V x = L.Broadcast(0.999f), y = L.Broadcast(0.001f);
            V a = y, b = y, c = y, d = y, e = y, f = y, g = y, h = y, i = y, j = y, k = y, l = y;
            for (int step = 0; step < Steps; step++)
            {
                a = L.MultiplyAdd(a, x, y);
                b = L.MultiplyAdd(b, x, y);
                c = L.MultiplyAdd(c, x, y);
                d = L.MultiplyAdd(d, x, y);
                e = L.MultiplyAdd(e, x, y);
                f = L.MultiplyAdd(f, x, y);
                g = L.MultiplyAdd(g, x, y);
                h = L.MultiplyAdd(h, x, y);
                i = L.MultiplyAdd(i, x, y);
                j = L.MultiplyAdd(j, x, y);
                k = L.MultiplyAdd(k, x, y);
                l = L.MultiplyAdd(l, x, y);
            }

            // The sum is stored, or the compiler could drop the chains.
            float* lanes = stackalloc float[L.Count];
            L.Store(lanes, L.Add(L.Add(L.Add(a, b), L.Add(c, d)), L.Add(L.Add(L.Add(e, f), L.Add(g, h)), L.Add(L.Add(i, j), L.Add(k, l)))));
            (Result, Flops) = (lanes[0], 2L * 12 * L.Count * Steps);
        }
    }
}
