using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>One step of AdamW over a run of entries.</summary>
/// <remarks>
/// Loshchilov and Hutter 2019, algorithm 2, in the order of PyTorch:
/// <code>
/// w = w keep        m = b1 m + (1 - b1) g        v = b2 v + (1 - b2) g^2        w = w - rate m / (sqrt(v) root + epsilon)
/// </code>
/// with keep = 1 - learning rate x decay, rate = learning rate / (1 - b1^t), root = 1 / sqrt(1 - b2^t) and g the gradient times a factor.
/// With finite gradients no result is infinite or NaN: v is clamped to the largest float, and weights to 1e18, whose square is still finite.
/// </remarks>
internal readonly unsafe struct AdamWUpdate
{
    private const float WeightLimit = 1e18f;

    public required float GradientFactor { get; init; }

    public required float Beta1 { get; init; }

    public required float Beta2 { get; init; }

    public required float Epsilon { get; init; }

    public required float Keep { get; init; }

    public required float Rate { get; init; }

    public required float Root { get; init; }

    /// <summary>Updates the weights and both moments.</summary>
    /// <param name="weight">[count]</param>
    /// <param name="gradient">[count]</param>
    /// <param name="first">[count]: m.</param>
    /// <param name="second">[count]: v.</param>
    /// <param name="count">How many entries.</param>
    public void Run(float* weight, float* gradient, float* first, float* second, int count)
    {
        Debug.Assert(count == 0 || (weight is not null && gradient is not null && first is not null && second is not null), "no entries");
        Widths.Run(new Kernel(this, weight, gradient, first, second), 0, count);
    }

    /// <summary>The sum of squares in double precision, in which squares of floats are exact: 8 partial sums, added in a fixed tree.</summary>
    public static double SumOfSquares(float* values, int count)
    {
        Vector128<double> a = default, b = default, c = default, d = default;
        int i = 0;
        for (; i + 8 <= count; i += 8)
        {
            (Vector128<double> low, Vector128<double> high) = Vector128.Widen(Vector128.Load(values + i));
            a += low * low;
            b += high * high;
            (low, high) = Vector128.Widen(Vector128.Load(values + i + 4));
            c += low * low;
            d += high * high;
        }

        double rest = 0;
        for (; i < count; i++)
        {
            rest += (double)values[i] * values[i];
        }

        Vector128<double> sum = (a + c) + (b + d);
        return sum[0] + sum[1] + rest;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private int Run<L, V>(float* weight, float* gradient, float* first, float* second, int start, int count)
        where L : struct, ILanes<V>
    {
        V factor = L.Broadcast(GradientFactor), beta1 = L.Broadcast(Beta1), beta2 = L.Broadcast(Beta2), epsilon = L.Broadcast(Epsilon);
        V rest1 = L.Broadcast(1 - Beta1), rest2 = L.Broadcast(1 - Beta2), keep = L.Broadcast(Keep), rate = L.Broadcast(Rate), root = L.Broadcast(Root);
        int i = start;
        for (; i + L.Count <= count; i += L.Count)
        {
            V g = L.Multiply(L.Load(gradient + i), factor);
            V m = L.MultiplyAdd(beta1, L.Load(first + i), L.Multiply(rest1, g));
            V v = L.MultiplyAdd(beta2, L.Load(second + i), L.Multiply(L.Multiply(rest2, g), g));
            v = L.Min(L.Broadcast(float.MaxValue), v);
            V step = L.Divide(L.Multiply(rate, m), L.MultiplyAdd(L.Sqrt(v), root, epsilon));
            V w = L.Subtract(L.Multiply(L.Load(weight + i), keep), step);
            L.Store(first + i, m);
            L.Store(second + i, v);
            L.Store(weight + i, L.Max(L.Broadcast(-WeightLimit), L.Min(L.Broadcast(WeightLimit), w)));
        }

        return i;
    }

    private readonly struct Kernel(AdamWUpdate update, float* weight, float* gradient, float* first, float* second) : IRangeKernel
    {
        public int Run<L, V>(int start, int end)
            where L : struct, ILanes<V> => update.Run<L, V>(weight, gradient, first, second, start, end);
    }
}
