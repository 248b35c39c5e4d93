using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Mamba.Managed.Kernels.Simd;

namespace Mamba.Managed.Kernels;

/// <summary>How one floating-point type is read.</summary>
internal unsafe interface IFloatCode<T>
    where T : unmanaged
{
    static abstract bool IsReadable(T value);

    static abstract V Load<L, V>(byte* source)
        where L : struct, ILanes<V>;
}

/// <summary>Single precision.</summary>
internal readonly unsafe struct SingleCode : IFloatCode<float>
{
    public static bool IsReadable(float value) => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<L, V>(byte* source)
        where L : struct, ILanes<V> => L.Load((float*)source);
}

/// <summary>Half precision, finite.</summary>
internal readonly unsafe struct HalfCode : IFloatCode<ushort>
{
    public static bool IsReadable(ushort value) => (value & 0x7C00) != 0x7C00;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<L, V>(byte* source)
        where L : struct, ILanes<V> => L.FromHalf((ushort*)source);
}

/// <summary>The upper half of single precision.</summary>
internal readonly unsafe struct BFloat16Code : IFloatCode<ushort>
{
    public static bool IsReadable(ushort value) => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Load<L, V>(byte* source)
        where L : struct, ILanes<V> => L.FromBFloat16((ushort*)source);
}

/// <summary>Panels of floating-point numbers: no heads, one number for each input and output.</summary>
internal readonly unsafe struct FloatPanel<T, TCode> : IPanelFormat
    where T : unmanaged
    where TCode : struct, IFloatCode<T>
{
    public static int BlockLength => IPanelFormat.UnitLength;

    public static int GroupLength => IPanelFormat.UnitLength;

    public static int HeadBytes => 0;

    public static int UnitBytes => IPanelFormat.UnitLength * PackedMatrix.PanelWidth * sizeof(T);

    public static int LaneBytes => sizeof(T);

    public static bool Pack(ReadOnlySpan<byte> row, int inputs, byte* panel, int output)
    {
        ReadOnlySpan<T> values = MemoryMarshal.Cast<byte, T>(row);
        T* to = (T*)panel + output;
        bool readable = true;
        for (int k = 0; k < values.Length; k++, to += PackedMatrix.PanelWidth)
        {
            *to = values[k];
            readable &= TCode.IsReadable(values[k]);
        }

        return readable;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Scale<L, V>(byte* block, int group, int output)
        where L : struct, ILanes<V> => default!;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Offset<L, V>(byte* block, int group, int output, V scale)
        where L : struct, ILanes<V> => default!;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Weight<L, V>(byte* unit, int input, V scale, V offset)
        where L : struct, ILanes<V> => TCode.Load<L, V>(unit + (input * PackedMatrix.PanelWidth * sizeof(T)));
}
