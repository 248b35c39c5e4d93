using System.Runtime.InteropServices;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>Sixteen bytes of device memory, moved by one instruction: four float32, or eight bfloat16 in their bit patterns.</summary>
[Fields]
[StructLayout(LayoutKind.Sequential)]
internal struct Float4
{
    public float X;
    public float Y;
    public float Z;
    public float W;

    /// <summary>The fields in order.</summary>
    public float this[int index]
    {
        readonly get => index == 0 ? X : index == 1 ? Y : index == 2 ? Z : W;
        set
        {
            if (index == 0)
            {
                X = value;
            }
            else if (index == 1)
            {
                Y = value;
            }
            else if (index == 2)
            {
                Z = value;
            }
            else
            {
                W = value;
            }
        }
    }
}
