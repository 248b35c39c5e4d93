using System.Runtime.InteropServices;
using Mamba.Managed.Layers;

namespace Mamba.Managed.Kernels.Simd;

/// <summary>A number as a type, for which the JIT compiles a kernel: that of its bytes.</summary>
/// <remarks>
/// <c>sizeof</c> is the one number of a type that the JIT knows before it inlines. What a comparison with it leaves out is then never looked at; behind
/// that of a property all would be inlined first and then thrown away, which takes longer than to compile the kernel.
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
