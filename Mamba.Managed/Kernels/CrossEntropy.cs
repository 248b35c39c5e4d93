using System.Diagnostics;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>Softmax cross-entropy of one row of logits and its gradient: loss = log(sum of e^l) - l[target]; dl = softmax(l) - onehot(target).</summary>
/// <remarks>The largest logit is subtracted first, so nothing overflows. The sum has the fixed order of <see cref="VirtualLanes"/>.</remarks>
internal static unsafe class CrossEntropy
{
    /// <summary>The loss of one row, whose logits become their gradient.</summary>
    /// <param name="logits">[count]: overwritten by the gradient times <paramref name="scale"/>.</param>
    /// <param name="count">Entries of the row.</param>
    /// <param name="target">The index of the target; negative for none, which gives neither loss nor gradient.</param>
    /// <param name="scale">Factor of the gradient.</param>
    /// <returns>The loss in nats.</returns>
    public static double Backward(float* logits, int count, int target, float scale)
    {
        Debug.Assert(logits is not null && target < count, "no logits or no such target");
        if (target < 0)
        {
            new Span<float>(logits, count).Clear();
            return 0;
        }

        RowKernel row = new(logits, count, target, scale);
        Widths.Run(ref row);
        return row.Loss;
    }

    private struct RowKernel(float* logits, int count, int target, float scale) : IKernel
    {
        public double Loss { get; private set; }

        public void Run<L, V>()
            where L : struct, ILanes<V>
        {
            float right = logits[target];
            int whole = count - (count % VirtualLanes.Count);
            float greatest = TensorPrimitives.Max(new ReadOnlySpan<float>(logits, count));
            float* lanes = stackalloc float[VirtualLanes.Count];
            Exponentials<L, V>(logits, whole, greatest, lanes);
            for (int i = whole; i < count; i++)
            {
                logits[i] = Elementary.Exp<LanesScalar, float>(logits[i] - greatest);
                lanes[i - whole] += logits[i];
            }

            float sum = VirtualLanes.Sum(lanes);
            Scale<L, V>(logits, whole, scale / sum);
            for (int i = whole; i < count; i++)
            {
                logits[i] *= scale / sum;
            }

            logits[target] -= scale;
            Loss = Math.Log(sum) + ((double)greatest - right);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Exponentials<L, V>(float* logits, int count, float greatest, float* lanes)
        where L : struct, ILanes<V>
    {
        V top = L.Broadcast(greatest);
        for (int lane = 0; lane < VirtualLanes.Count; lane += L.Count)
        {
            V sum = L.Broadcast(0);
            for (int i = lane; i < count; i += VirtualLanes.Count)
            {
                V power = Elementary.Exp<L, V>(L.Subtract(L.Load(logits + i), top));
                L.Store(logits + i, power);
                sum = L.Add(sum, power);
            }

            L.Store(lanes + lane, sum);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Scale<L, V>(float* values, int count, float factor)
        where L : struct, ILanes<V>
    {
        V by = L.Broadcast(factor);
        for (int i = 0; i < count; i += L.Count)
        {
            L.Store(values + i, L.Multiply(L.Load(values + i), by));
        }
    }
}
