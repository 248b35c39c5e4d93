using ILGPU;

namespace Mamba.Managed.ILGPU.Decode;

/// <summary>Sums over threads of a warp, in a fixed order; every thread gets the sum.</summary>
internal static class Lanes
{
    /// <summary>Over all 32.</summary>
    public static float Sum(float value)
    {
        value += Warp.ShuffleXor(value, 16);
        value += Warp.ShuffleXor(value, 8);
        value += Warp.ShuffleXor(value, 4);
        return SumOfFour(value);
    }

    /// <summary>Over four neighbors.</summary>
    public static float SumOfFour(float value)
    {
        value += Warp.ShuffleXor(value, 2);
        return value + Warp.ShuffleXor(value, 1);
    }
}
