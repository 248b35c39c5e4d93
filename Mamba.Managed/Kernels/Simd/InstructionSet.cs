using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Mamba.Managed.Kernels.Simd;

/// <summary>The vector instructions that kernels use; all give the same bits.</summary>
internal enum InstructionSet
{
    /// <summary>One value at a time.</summary>
    Scalar,

    /// <summary>4 lanes: Arm64, or x64 with FMA.</summary>
    Vector128,

    /// <summary>8 lanes: AVX2 and FMA.</summary>
    Avx2,

    /// <summary>16 lanes: AVX-512.</summary>
    Avx512,
}

/// <summary>Chooses the instruction set, once, at startup.</summary>
internal static class InstructionSets
{
    /// <summary>The environment variable that forces one: <c>avx512</c>, <c>avx2</c>, <c>vector128</c> or <c>scalar</c>.</summary>
    public const string Variable = "MAMBA_INSTRUCTION_SET";

    /// <summary>The instruction set in use. It is static and read-only, so the JIT treats it as a constant and drops the branches not taken.</summary>
    public static readonly InstructionSet Current = Choose(Environment.GetEnvironmentVariable(Variable));

    /// <summary>The name of the instruction set in use, as <see cref="Variable"/> takes it.</summary>
    public static string CurrentName => Current switch
    {
        InstructionSet.Avx512 => "avx512",
        InstructionSet.Avx2 => "avx2",
        InstructionSet.Vector128 => "vector128",
        _ => "scalar",
    };

    /// <summary>Whether micro-kernels take 12 rows by two panels instead of 6 by one: AVX-512 has 32 registers of a panel's width.</summary>
    public static bool HasWideTile => Current == InstructionSet.Avx512;

    /// <summary>Whether this machine has the instructions.</summary>
    public static bool IsSupported(InstructionSet set) => set switch
    {
        // Widest first. Vector512.IsHardwareAccelerated is false on processors where the runtime finds that 512-bit vectors lower the clock too much.
        InstructionSet.Avx512 => Vector512.IsHardwareAccelerated && Avx512F.IsSupported && Fma.IsSupported,

        // Measured: Vector256 without AVX2 is emulated, nine times slower than scalar code.
        InstructionSet.Avx2 => Vector256.IsHardwareAccelerated && Avx2.IsSupported && Fma.IsSupported,

        // A fused multiply-add without the instruction is emulated too, just as slowly.
        InstructionSet.Vector128 => Vector128.IsHardwareAccelerated && (Fma.IsSupported || AdvSimd.IsSupported),
        _ => true,
    };

    /// <summary>The instruction set that <paramref name="forced"/> names, or the widest that this machine has.</summary>
    /// <exception cref="PlatformNotSupportedException">The name is unknown, or this machine lacks the instructions.</exception>
    internal static InstructionSet Choose(string? forced)
    {
        if (string.IsNullOrEmpty(forced))
        {
            return IsSupported(InstructionSet.Avx512) ? InstructionSet.Avx512
                : IsSupported(InstructionSet.Avx2) ? InstructionSet.Avx2
                : IsSupported(InstructionSet.Vector128) ? InstructionSet.Vector128
                : InstructionSet.Scalar;
        }

        return Enum.TryParse(forced, ignoreCase: true, out InstructionSet set) && Enum.IsDefined(set) && IsSupported(set)
            ? set
            : throw new PlatformNotSupportedException(
                $"{Variable}: expected avx512, avx2, vector128 or scalar, and one that this machine has; found '{forced}'");
    }
}
