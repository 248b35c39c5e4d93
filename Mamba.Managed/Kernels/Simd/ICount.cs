using System.Runtime.InteropServices;

namespace Mamba.Managed.Kernels.Simd;

/// <summary>A number as a type argument: its size in bytes. The JIT compiles a kernel for each number by itself.</summary>
/// <remarks>
/// The JIT folds <c>sizeof(T)</c> when it imports code, so branches that a comparison with it rules out are never inlined. The value of a static property
/// is known only after inlining: all branches would be inlined first and then dropped, which takes longer than the rest of the compilation.
/// </remarks>
internal interface ICount;

/// <summary>1, as an empty structure.</summary>
internal readonly struct Count1 : ICount;

[StructLayout(LayoutKind.Sequential, Size = 2)]
internal readonly struct Count2 : ICount;

[StructLayout(LayoutKind.Sequential, Size = 3)]
internal readonly struct Count3 : ICount;

[StructLayout(LayoutKind.Sequential, Size = 4)]
internal readonly struct Count4 : ICount;

[StructLayout(LayoutKind.Sequential, Size = 5)]
internal readonly struct Count5 : ICount;

[StructLayout(LayoutKind.Sequential, Size = 6)]
internal readonly struct Count6 : ICount;

[StructLayout(LayoutKind.Sequential, Size = 7)]
internal readonly struct Count7 : ICount;

[StructLayout(LayoutKind.Sequential, Size = 8)]
internal readonly struct Count8 : ICount;

[StructLayout(LayoutKind.Sequential, Size = 9)]
internal readonly struct Count9 : ICount;

[StructLayout(LayoutKind.Sequential, Size = 10)]
internal readonly struct Count10 : ICount;

[StructLayout(LayoutKind.Sequential, Size = 11)]
internal readonly struct Count11 : ICount;

[StructLayout(LayoutKind.Sequential, Size = 12)]
internal readonly struct Count12 : ICount;
