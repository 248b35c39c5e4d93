using ILGPU;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>Four neighboring numbers of a matrix of either type, as they lie in memory: read ahead, bfloat16 takes half of the registers until it is needed.</summary>
internal struct FourNumbers
{
    public Float4 Floats;
    public ulong Halves;

    /// <summary>Reads the four numbers of a unit.</summary>
    [Inlined]
    public static void Read(ArrayView<Float4> matrix, int unit, bool isBFloat16, ref FourNumbers numbers)
    {
        if (isBFloat16)
        {
            numbers.Halves = matrix.Cast<ulong>()[unit];
        }
        else
        {
            numbers.Floats = matrix[unit];
        }
    }

    /// <summary>The numbers as float32.</summary>
    [Inlined]
    public static Float4 Widen(FourNumbers numbers, bool isBFloat16) => isBFloat16 ? Widen((uint)numbers.Halves, (uint)(numbers.Halves >> 32)) : numbers.Floats;

    /// <summary>Four bfloat16 as float32.</summary>
    public static Float4 Widen(uint low, uint high)
    {
        Float4 numbers = default;
        numbers.X = Interop.IntAsFloat(low << 16);
        numbers.Y = Interop.IntAsFloat(low & 0xFFFF0000u);
        numbers.Z = Interop.IntAsFloat(high << 16);
        numbers.W = Interop.IntAsFloat(high & 0xFFFF0000u);
        return numbers;
    }

    /// <summary>Writes the four numbers of a unit, rounded to nearest even where they are bfloat16.</summary>
    [Inlined]
    public static void Write(ArrayView<Float4> matrix, int unit, Float4 numbers, bool isBFloat16)
    {
        if (isBFloat16)
        {
            uint low = BFloat16.Round(numbers.X) | (BFloat16.Round(numbers.Y) << 16), high = BFloat16.Round(numbers.Z) | (BFloat16.Round(numbers.W) << 16);
            matrix.Cast<ulong>()[unit] = low | ((ulong)high << 32);
        }
        else
        {
            matrix[unit] = numbers;
        }
    }
}
