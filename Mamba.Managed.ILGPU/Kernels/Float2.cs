using System.Runtime.InteropServices;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>Eight bytes of device memory, moved by one instruction: four bfloat16 in their bit patterns.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Float2
{
    public float X;
    public float Y;
}
