using ILGPU;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>Conversions of bfloat16 in kernels that know no instruction for it.</summary>
internal static class BFloat16
{
    /// <summary>The nearest bfloat16's bits, ties to even; not-a-number stays so.</summary>
    public static uint Round(float value)
    {
        uint bits = Interop.FloatAsInt(value);
        bool isNaN = (bits & 0x7FFFFFFFu) > 0x7F800000u;
        return isNaN ? (bits >> 16) | 0x40u : (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
    }
}
