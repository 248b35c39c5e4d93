using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>The gradient of the input of an RMS norm: with r = 1 / sqrt(mean(x^2) + epsilon), dx = r (w dy - x r^2 mean(w dy x)).</summary>
/// <remarks>That of the scale is a sum over tokens: <see cref="RowSums"/>, with the inverses that this leaves.</remarks>
internal static class RmsNormalizationBackward
{
    // A group has 8 columns, which are one sector of memory, and 32 threads for the features of each.
    private const int Columns = 8;
    private const int Stripes = 32;

    /// <summary>Computes dx, added to a gradient or in its place.</summary>
    /// <param name="session">Where it runs; the call returns before the work is done.</param>
    /// <param name="x">[features, tokens]: the norm's input.</param>
    /// <param name="features">The true number of features, over which the mean goes.</param>
    /// <param name="weight">[features], or empty for ones.</param>
    /// <param name="epsilon">Inside the root.</param>
    /// <param name="gradient">[features, tokens]: dy, zero in padding columns.</param>
    /// <param name="result">[features, tokens]: dx, zero in padding columns; may be <paramref name="gradient"/> where it is not added to.</param>
    /// <param name="add">Whether dx is added to what the result holds.</param>
    /// <param name="inverses">[tokens]: receives r of each column.</param>
    public static void Input(
        GpuSession session, DeviceMatrix x, int features, ArrayView<float> weight, float epsilon, DeviceMatrix gradient, DeviceMatrix result, bool add, ArrayView<float> inverses)
    {
        Arguments arguments = Of(x, features, weight, epsilon, gradient, result, add, inverses);
        if (session.IsFast)
        {
            Fast(session, arguments);
        }
        else
        {
            Plain(session, arguments);
        }
    }

    /// <summary>The checked arguments of the kernels.</summary>
    internal static Arguments Of(
        DeviceMatrix x, int features, ArrayView<float> weight, float epsilon, DeviceMatrix gradient, DeviceMatrix result, bool add, ArrayView<float> inverses)
    {
        if (features > x.Rows || gradient.Rows != x.Rows || result.Rows != x.Rows || gradient.Pitch != x.Pitch || result.Pitch != x.Pitch || inverses.Length < x.Pitch)
        {
            throw new ArgumentException(
                $"norm: expected gradients [{x.Rows}, {x.Pitch}], found [{gradient.Rows}, {gradient.Pitch}] and [{result.Rows}, {result.Pitch}] with {inverses.Length} inverses");
        }

        return new()
        {
            // Kernels get no empty views.
            HasWeight = weight.Length > 0 ? 1 : 0,
            Weight = weight.Length > 0 ? weight : inverses,
            X = x.Floats,
            Gradient = gradient.Floats,
            Result = result.Floats,
            Inverses = inverses,
            Features = features,
            Pitch = x.Pitch,
            Epsilon = epsilon,
            Add = add ? 1 : 0,
        };
    }

    /// <summary>One group for eight columns.</summary>
    internal static void Fast(GpuSession session, in Arguments arguments) =>
        session.Grouped<Arguments>(GroupKernel, Columns * Stripes, 4)(new KernelConfig(arguments.Pitch / Columns, Columns * Stripes), arguments);

    /// <summary>One column a work item.</summary>
    internal static void Plain(GpuSession session, in Arguments arguments) => session.Plain<Arguments>(Column)(arguments.Pitch, arguments);

    private static void GroupKernel(Arguments p)
    {
        int lane = Group.IdxX % Columns, stripe = Group.IdxX / Columns;
        int column = (Grid.IdxX * Columns) + lane;
        float squares = 0, products = 0;
        for (int feature = stripe; feature < p.Features; feature += Stripes)
        {
            Accumulate(p, feature, column, ref squares, ref products);
        }

        ArrayView<float> sums = SharedMemory.Allocate<float>(2 * Columns * Stripes);
        sums[Group.IdxX] = squares;
        sums[(Columns * Stripes) + Group.IdxX] = products;
        for (int half = Columns * Stripes / 2; half >= Columns; half /= 2)
        {
            Group.Barrier();
            if (Group.IdxX < half)
            {
                sums[Group.IdxX] += sums[Group.IdxX + half];
                sums[(Columns * Stripes) + Group.IdxX] += sums[(Columns * Stripes) + Group.IdxX + half];
            }
        }

        Group.Barrier();
        float inverse = Inverse(p, sums[lane]), share = Share(p, inverse, sums[(Columns * Stripes) + lane]);
        if (stripe == 0)
        {
            p.Inverses[column] = inverse;
        }

        for (int feature = stripe; feature < p.Features; feature += Stripes)
        {
            Write(p, feature, column, inverse, share);
        }
    }

    private static void Column(Index1D column, Arguments p)
    {
        float squares = 0, products = 0;
        for (int feature = 0; feature < p.Features; feature++)
        {
            Accumulate(p, feature, column, ref squares, ref products);
        }

        float inverse = Inverse(p, squares), share = Share(p, inverse, products);
        p.Inverses[column] = inverse;
        for (int feature = 0; feature < p.Features; feature++)
        {
            Write(p, feature, column, inverse, share);
        }
    }

    private static void Accumulate(Arguments p, int feature, int column, ref float squares, ref float products)
    {
        long at = ((long)feature * p.Pitch) + column;
        float x = p.X[at];
        squares += x * x;
        products += Scaled(p, feature, at) * x;
    }

    private static void Write(Arguments p, int feature, int column, float inverse, float share)
    {
        long at = ((long)feature * p.Pitch) + column;
        float dx = (inverse * Scaled(p, feature, at)) - (share * p.X[at]);
        p.Result[at] = p.Add != 0 ? p.Result[at] + dx : dx;
    }

    private static float Scaled(Arguments p, int feature, long at) => p.HasWeight != 0 ? p.Weight[feature] * p.Gradient[at] : p.Gradient[at];

    private static float Inverse(Arguments p, float squares) => 1 / XMath.Sqrt((squares / p.Features) + p.Epsilon);

    private static float Share(Arguments p, float inverse, float products) => inverse * inverse * inverse * products / p.Features;

    internal struct Arguments
    {
        public ArrayView<float> X;
        public ArrayView<float> Weight;
        public ArrayView<float> Gradient;
        public ArrayView<float> Result;
        public ArrayView<float> Inverses;
        public float Epsilon;
        public int HasWeight;
        public int Features;
        public int Pitch;
        public int Add;
    }
}
