using ILGPU;
using ILGPU.Algorithms;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Kernels;

/// <content>The form for GPUs whose warps have 32 threads.</content>
internal static partial class RmsNormalization
{
    // A group has 8 columns, which are a sector of memory of each row: 2 threads with 4 columns each, 128 rows at once.
    private const int Units = 2;
    private const int Threads = 256;
    private const int RowsAtOnce = Threads / Units;

    /// <summary>Rows of a thread that are read before the first of them is used: all of d_model 768.</summary>
    private const int Loads = 6;

    internal static void Fast(GpuSession session, DeviceMatrix x, int features, ArrayView<float> weight, float epsilon, int columns, DeviceMatrix y)
    {
        Action<FastArguments> kernel = x.Type == NumberType.BFloat16 ? OfBFloat16 : y.Type == NumberType.BFloat16 ? ToBFloat16 : OfFloat32;
        session.Grouped(kernel, Threads, 4)(((columns + (4 * Units) - 1) / (4 * Units), Threads), new FastArguments
        {
            X = x.Data,
            Y = y.Data,
            Weight = weight.Length > 0 ? weight : x.Data.Cast<float>(),
            HasWeight = weight.Length > 0 ? 1 : 0,
            Epsilon = epsilon,
            Features = features,
            Rows = x.Rows,
            XUnits = x.Pitch / 4,
            YUnits = y.Pitch / 4,
        });
    }

    [Unrolled("OfFloat32", "IsOfBFloat16=false", "IsToBFloat16=false")]
    [Unrolled("ToBFloat16", "IsOfBFloat16=false", "IsToBFloat16=true")]
    [Unrolled("OfBFloat16", "IsOfBFloat16=true", "IsToBFloat16=true")]
    private static void Normalize(FastArguments p)
    {
        const bool IsOfBFloat16 = false;
        const bool IsToBFloat16 = false;
        ArrayView<Float4> sums = SharedMemory.Allocate<Float4>(Threads / 32 * Units);
        int lane = Group.IdxX % Units, first = Group.IdxX / Units, unit = (Grid.IdxX * Units) + lane;
        Float4 sum = default;
        for (int start = first; start < p.Rows; start += RowsAtOnce * Loads)
        {
            for (int i = Unroll.From(0); i < Loads; i++)
            {
                // Read in any case, so that the reads need no branches and overlap.
                int row = start + (i * RowsAtOnce);
                Float4 value = p.Read(XMath.Min(row, p.Rows - 1), unit, IsOfBFloat16);
                float inside = row < p.Rows ? 1f : 0f;
                sum.X += value.X * value.X * inside;
                sum.Y += value.Y * value.Y * inside;
                sum.Z += value.Z * value.Z * inside;
                sum.W += value.W * value.W * inside;
            }
        }

        for (int distance = Units; distance < 32; distance *= 2)
        {
            sum.X += Warp.ShuffleXor(sum.X, distance);
            sum.Y += Warp.ShuffleXor(sum.Y, distance);
            sum.Z += Warp.ShuffleXor(sum.Z, distance);
            sum.W += Warp.ShuffleXor(sum.W, distance);
        }

        if (Group.IdxX % 32 < Units)
        {
            sums[(Group.IdxX / 32 * Units) + lane] = sum;
        }

        Group.Barrier();
        Float4 total = default;
        for (int warp = 0; warp < Threads / 32; warp++)
        {
            Float4 part = sums[(warp * Units) + lane];
            total.X += part.X;
            total.Y += part.Y;
            total.Z += part.Z;
            total.W += part.W;
        }

        float scaleX = p.ScaleOf(total.X), scaleY = p.ScaleOf(total.Y), scaleZ = p.ScaleOf(total.Z), scaleW = p.ScaleOf(total.W);
        for (int start = first; start < p.Rows; start += RowsAtOnce)
        {
            float weight = p.WeightOf(start);
            Float4 value = p.Read(start, unit, IsOfBFloat16);
            value.X *= scaleX * weight;
            value.Y *= scaleY * weight;
            value.Z *= scaleZ * weight;
            value.W *= scaleW * weight;
            p.Write(start, unit, value, IsToBFloat16);
        }
    }

    /// <summary>Matrices in units of four columns.</summary>
    internal struct FastArguments
    {
        public ArrayView<Float4> X;
        public ArrayView<Float4> Y;
        public ArrayView<float> Weight;
        public int HasWeight;
        public float Epsilon;
        public int Features;
        public int Rows;
        public int XUnits;
        public int YUnits;

        public readonly Float4 Read(int row, int unit, bool isBFloat16)
        {
            int index = (row * XUnits) + unit;
            return isBFloat16 ? Widen(X.Cast<ulong>()[index]) : X[index];
        }

        public readonly void Write(int row, int unit, Float4 value, bool isBFloat16)
        {
            int index = (row * YUnits) + unit;
            if (isBFloat16)
            {
                Y.Cast<ulong>()[index] = Round(value);
            }
            else
            {
                Y[index] = value;
            }
        }

        public readonly float WeightOf(int row) => HasWeight != 0 ? Weight[row] : 1f;

        public readonly float ScaleOf(float sum) => Scale(sum, Features, Epsilon);

        private static Float4 Widen(ulong four) => new()
        {
            X = Interop.IntAsFloat((uint)four << 16),
            Y = Interop.IntAsFloat((uint)four & 0xFFFF0000u),
            Z = Interop.IntAsFloat((uint)(four >> 32) << 16),
            W = Interop.IntAsFloat((uint)(four >> 32) & 0xFFFF0000u),
        };

        private static ulong Round(Float4 value)
        {
            uint lower = BFloat16.Round(value.X) | (BFloat16.Round(value.Y) << 16);
            uint upper = BFloat16.Round(value.Z) | (BFloat16.Round(value.W) << 16);
            return lower | ((ulong)upper << 32);
        }
    }
}
