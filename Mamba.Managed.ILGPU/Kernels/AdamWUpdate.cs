using ILGPU;
using ILGPU.Algorithms;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>One step of AdamW over all parameters, which lie in one block of memory.</summary>
/// <remarks>
/// Loshchilov and Hutter 2019, algorithm 2, in the order of PyTorch:
/// <code>
/// w = w keep        m = b1 m + (1 - b1) g        v = b2 v + (1 - b2) g^2        w = w - rate m / (sqrt(v) root + epsilon)
/// </code>
/// with keep = 1 - learning rate x decay, rate = learning rate / (1 - b1^t), root = 1 / sqrt(1 - b2^t) and g the gradient times a factor.
/// With finite gradients no result is infinite or NaN: v is clamped to the largest float, and weights to 1e18, whose square is still finite.
/// </remarks>
internal static class AdamWUpdate
{
    /// <summary>Entries that decay together: every parameter begins at a multiple of it.</summary>
    public const int Unit = 1024;

    // Less than an int, since work items are counted by one; a multiple of the unit.
    private const long Launch = 1 << 30;
    private const float WeightLimit = 1e18f;

    /// <summary>Updates weights and moments.</summary>
    /// <param name="session">Where it runs; the call returns before the work is done.</param>
    /// <param name="arguments">All views are of one length; one work item an entry.</param>
    public static void Run(GpuSession session, in Arguments arguments)
    {
        long count = arguments.Weights.Length;
        if (arguments.Gradients.Length != count || arguments.First.Length != count || arguments.Second.Length != count || arguments.Decays.Length * Unit < count)
        {
            throw new ArgumentException(
                $"AdamW: expected gradients and moments of {count} entries, found {arguments.Gradients.Length}, {arguments.First.Length}, {arguments.Second.Length} and decays of {arguments.Decays.Length * Unit}");
        }

        for (long start = 0; start < count; start += Launch)
        {
            int length = (int)Math.Min(Launch, count - start);
            session.Plain<Arguments>(Entry)(length, arguments with
            {
                Weights = arguments.Weights.SubView(start, length),
                Gradients = arguments.Gradients.SubView(start, length),
                First = arguments.First.SubView(start, length),
                Second = arguments.Second.SubView(start, length),
                Decays = arguments.Decays.SubView(start / Unit, (length + Unit - 1) / Unit),
            });
        }
    }

    private static void Entry(Index1D i, Arguments p)
    {
        float g = p.Gradients[i] * p.GradientFactor;
        float m = (p.Beta1 * p.First[i]) + ((1 - p.Beta1) * g);
        float v = XMath.Min(float.MaxValue, (p.Beta2 * p.Second[i]) + ((1 - p.Beta2) * g * g));
        float step = p.Rate * m / ((XMath.Sqrt(v) * p.Root) + p.Epsilon);
        float w = (p.Weights[i] * (p.Decays[i / Unit] != 0 ? p.Keep : 1)) - step;
        p.First[i] = m;
        p.Second[i] = v;
        p.Weights[i] = XMath.Max(-WeightLimit, XMath.Min(WeightLimit, w));
    }

    internal record struct Arguments
    {
        public ArrayView<float> Weights;
        public ArrayView<float> Gradients;
        public ArrayView<float> First;
        public ArrayView<float> Second;

        /// <summary>For each <see cref="Unit"/> of entries, whether weight decay applies.</summary>
        public ArrayView<byte> Decays;
        public float GradientFactor;
        public float Beta1;
        public float Beta2;
        public float Epsilon;
        public float Keep;
        public float Rate;
        public float Root;
    }
}
