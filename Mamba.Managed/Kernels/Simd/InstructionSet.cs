using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Mamba.Managed.Kernels.Simd;

/// <summary>How wide the kernels work; every width gives the same bits.</summary>
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

/// <summary>Chooses the path once, at start-up.</summary>
internal static class InstructionSets
{
    /// <summary>The environment variable that forces a path: <c>avx512</c>, <c>avx2</c>, <c>vector128</c> or <c>scalar</c>.</summary>
    public const string Variable = "MAMBA_INSTRUCTION_SET";

    /// <summary>The path in use. Static and read-only, so that the JIT compiles the branches on it away.</summary>
    public static readonly InstructionSet Current = Choose(Environment.GetEnvironmentVariable(Variable));

    /// <summary>Whether micro-kernels take 12 rows by two panels instead of 6 by one: AVX-512 has 32 registers of a panel's width.</summary>
    public static bool HasWideTile => Current == InstructionSet.Avx512;

    /// <summary>Whether this machine has what a path needs.</summary>
    public static bool IsSupported(InstructionSet set) => set switch
    {
        // Widest first. Vector512 also asks that the runtime finds 512 bits worth using on this processor.
        InstructionSet.Avx512 => Vector512.IsHardwareAccelerated && Avx512F.IsSupported && Fma.IsSupported,

        // Software Vector256 is nine times slower than scalar code, and so is a fused multiply-add without the instruction.
        InstructionSet.Avx2 => Vector256.IsHardwareAccelerated && Avx2.IsSupported && Fma.IsSupported,
        InstructionSet.Vector128 => Vector128.IsHardwareAccelerated && (Fma.IsSupported || AdvSimd.IsSupported),
        _ => true,
    };

    /// <summary>The path that <paramref name="forced"/> names, or the widest that this machine has.</summary>
    /// <exception cref="PlatformNotSupportedException">The name is unknown, or this machine lacks the path.</exception>
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
