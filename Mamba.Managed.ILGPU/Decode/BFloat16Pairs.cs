using ILGPU;
using Mamba.Managed.ILGPU.Kernels;

namespace Mamba.Managed.ILGPU.Decode;

/// <summary>Bfloat16 two by two; the first of each pair is the lower half.</summary>
internal static class BFloat16Pairs
{
    /// <summary>Eight weights times eight numbers.</summary>
    public static float Dot(Float4 weights, Float4 first, Float4 second) =>
        (Lower(weights.X) * first.X) + (Upper(weights.X) * first.Y) + (Lower(weights.Y) * first.Z) + (Upper(weights.Y) * first.W)
        + ((Lower(weights.Z) * second.X) + (Upper(weights.Z) * second.Y) + (Lower(weights.W) * second.Z) + (Upper(weights.W) * second.W));

    /// <summary>Four weights times four numbers.</summary>
    public static float Dot(Float2 weights, Float4 numbers) =>
        (Lower(weights.X) * numbers.X) + (Upper(weights.X) * numbers.Y) + ((Lower(weights.Y) * numbers.Z) + (Upper(weights.Y) * numbers.W));

    private static float Lower(float pair) => Interop.IntAsFloat(Interop.FloatAsInt(pair) << 16);

    private static float Upper(float pair) => Interop.IntAsFloat(Interop.FloatAsInt(pair) & 0xFFFF0000u);
}
