using ILGPU;
using ILGPU.Runtime;
using Mamba.Managed.ILGPU.Devices;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>The second pass of a product whose depth was divided: it adds the parts of each entry in the order of their depth.</summary>
internal static class PartialSums
{
    /// <summary>C = the sum of the parts, plus a bias a row, plus what C holds, as the options say.</summary>
    /// <param name="session">Where it runs.</param>
    /// <param name="count">How many parts lie in the options' workspace, one after the other, each the rows of C with columns up to a multiple of 16.</param>
    /// <param name="c">The result.</param>
    /// <param name="shape">The product's sizes.</param>
    /// <param name="options">Workspace, bias, accumulation.</param>
    public static void Add(GpuSession session, int count, DeviceMatrix c, in ProductShape shape, in ProductOptions options)
    {
        int unitsOfRow = Padding.Up(shape.Columns, Padding.Rows) / 4;
        session.Plain<PartialSumArguments>(Kernel)(checked(shape.Rows * unitsOfRow), new PartialSumArguments
        {
            Parts = options.Workspace.Cast<Float4>(),
            C = c.Data,
            Bias = options.Bias.Length > 0 ? options.Bias : c.Data.Cast<float>(),
            Count = count,
            Units = shape.Rows * unitsOfRow,
            UnitsOfRow = unitsOfRow,
            PitchC = c.Pitch,
            HasBias = options.Bias.Length > 0 ? 1 : 0,
            Accumulates = options.Accumulate ? 1 : 0,
            StoresBFloat16 = c.Type == NumberType.BFloat16 ? 1 : 0,
        });
    }

    /// <summary>Four neighboring entries.</summary>
    private static void Kernel(Index1D item, PartialSumArguments p)
    {
        int row = item / p.UnitsOfRow;
        long start = (long)row * p.PitchC + 4 * (item - row * p.UnitsOfRow);
        float bias = p.HasBias != 0 ? p.Bias[row] : 0f;
        Float4 sum = new() { X = bias, Y = bias, Z = bias, W = bias };
        for (int part = 0; part < p.Count; part++)
        {
            sum = Sum(sum, p.Parts[(long)part * p.Units + item]);
        }

        if (p.StoresBFloat16 != 0)
        {
            ArrayView<ulong> halves = p.C.Cast<ulong>();
            halves[start / 4] = BFloat16.Round(sum.X) | (ulong)BFloat16.Round(sum.Y) << 16 | (ulong)BFloat16.Round(sum.Z) << 32 | (ulong)BFloat16.Round(sum.W) << 48;
        }
        else
        {
            p.C[start / 4] = p.Accumulates != 0 ? Sum(p.C[start / 4], sum) : sum;
        }
    }

    private static Float4 Sum(Float4 a, Float4 b) => new() { X = a.X + b.X, Y = a.Y + b.Y, Z = a.Z + b.Z, W = a.W + b.W };
}

/// <summary>What the kernel of <see cref="PartialSums"/> works on. A unit is four entries.</summary>
internal struct PartialSumArguments
{
    public ArrayView<Float4> Parts;
    public ArrayView<Float4> C;
    public ArrayView<float> Bias;
    public int Count;
    public int Units;
    public int UnitsOfRow;
    public int PitchC;
    public int HasBias;
    public int Accumulates;
    public int StoresBFloat16;
}
