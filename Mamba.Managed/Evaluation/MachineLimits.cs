using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Mamba.Managed.Kernels.Simd;
using Mamba.Managed.Tensors;
using Mamba.Managed.Threading;

namespace Mamba.Managed.Evaluation;

/// <summary>What this machine can do at most, measured now: the limits that decode and prefill run against.</summary>
/// <param name="ReadGigabytesPerSecond">Bytes read from memory, in 10^9 a second; the ceiling of decode.</param>
/// <param name="FmaGigaflopsPerSecond">Float32 operations of fused multiply-adds, two each, in 10^9 a second; the ceiling of prefill.</param>
/// <remarks>The clock of a machine that is shared changes from second to second: compare with work measured in the same run.</remarks>
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
        return new(
            ReadRegion.Bytes / Best(pool, read) / 1e9,
            (double)FmaRegion.FlopsPerWorker * pool.Count / Best(pool, multiply) / 1e9);
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

            // The sum has to go somewhere, or there would be no reason to read.
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

    /// <summary>Twelve chains of multiply-adds in registers: enough to fill two units of latency 4 or 5.</summary>
    private sealed class FmaRegion : IRegion
    {
        private const int Steps = 2_000_000;
        private float total;

        private static int Lanes => InstructionSets.Current switch
        {
            InstructionSet.Avx512 => 16,
            InstructionSet.Avx2 => 8,
            InstructionSet.Vector128 => 4,
            _ => 1,
        };

        public static long FlopsPerWorker => 2L * 12 * Lanes * Steps;

        public void Execute(Worker worker) => Volatile.Write(ref total, InstructionSets.Current switch
        {
            InstructionSet.Avx512 => Vector512.Sum(Chains<Lanes512, Vector512<float>>()),
            InstructionSet.Avx2 => Vector256.Sum(Chains<Lanes256, Vector256<float>>()),
            InstructionSet.Vector128 => Vector128.Sum(Chains<Lanes128, Vector128<float>>()),
            _ => Chains<LanesScalar, float>(),
        });

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static V Chains<L, V>()
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

            return L.Add(L.Add(L.Add(a, b), L.Add(c, d)), L.Add(L.Add(L.Add(e, f), L.Add(g, h)), L.Add(L.Add(i, j), L.Add(k, l))));
        }
    }
}
