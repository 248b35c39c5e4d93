using System.Runtime.CompilerServices;
using Mamba.Managed.Kernels.Simd;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tensors.Blocks;

namespace Mamba.Managed.Kernels;

/// <summary>The panels of one block format: the fields of its blocks, interleaved over 16 outputs.</summary>
/// <remarks>
/// A panel is a sequence of blocks of inputs, each a head followed by units of 32 inputs in the layout of <see cref="ICodePlanes"/>:
/// <code>head:  | d x 16 | m x 16 where there is a minimum | s x 16 for each group | t x 16 for each group |</code>
/// s and t take a whole byte each; apart from that a panel is as large as the 16 rows it holds.
/// </remarks>
internal sealed unsafe partial class BlockFormatPanels<TFormat, TCodes> : BlockPanels
    where TFormat : struct, IBlockFormat
    where TCodes : struct, ICodePlanes
{
    private const int UnitLength = ICodePlanes.UnitLength;

    // Fields, not expressions over TFormat: each of those would count against the JIT's inlining budget of a kernel.
    private readonly int blockLength = TFormat.Type.BlockLength();
    private readonly int groups = TFormat.Type.BlockLength() / TFormat.GroupLength;
    private readonly int scalesAt = Width * (TFormat.IsAffine ? 2 : 1) * sizeof(ushort);
    private readonly int minimaAt;
    private readonly int headBytes;
    private readonly int unitBytes = UnitLength * Width * TFormat.Bits / 8;
    private readonly int blockBytes;

    public BlockFormatPanels()
    {
        minimaAt = scalesAt + (TFormat.HasGroups ? groups * Width : 0);
        headBytes = minimaAt + (TFormat.HasGroups && TFormat.IsAffine ? groups * Width : 0);
        blockBytes = headBytes + (blockLength / UnitLength * unitBytes);
    }

    public override int GroupLength => TFormat.GroupLength;

    public override int Zero => TFormat.IsAffine ? 0 : TFormat.Zero;

    public override bool TileTakesWords => TakesWords;

    public override int TileZero => TFormat.Bits == 8 && UsesDotAccumulate ? SignBit : Zero;

    public override int PanelBytes(int inputs) => inputs / blockLength * blockBytes;

    public override bool Pack(ReadOnlySpan<byte> row, int inputs, byte* panel, int output)
    {
        int size = TFormat.Type.BlockSize(), length = blockLength;
        byte* codes = stackalloc byte[length];
        BlockParts parts = new() { Codes = new(codes, length), Scales = stackalloc sbyte[groups], Minima = stackalloc byte[groups] };
        bool readable = true;
        for (; row.Length >= size; row = row[size..])
        {
            TFormat.Unpack(row[..size], ref parts);
            readable &= PackHead(parts, panel, output);
            panel += headBytes;
            for (int k = 0; k < length; k += UnitLength, panel += unitBytes)
            {
                TCodes.Pack(codes + k, panel + (ICodePlanes.QuadLength * output));
            }
        }

        return readable;
    }

    public override void CopyRow(byte* panel, int output, Span<float> destination)
    {
        for (int k = 0; k < destination.Length; panel += blockBytes)
        {
            byte* unit = panel + headBytes + (ICodePlanes.QuadLength * output);
            for (int group = 0; group < groups; group++)
            {
                int at = (group * Width) + output;
                float scale = Scale<LanesScalar, float>(panel + (2 * output), panel + scalesAt + at);
                float offset = TFormat.IsAffine
                    ? Minimum<LanesScalar, float>(panel + (2 * (Width + output)), panel + minimaAt + at)
                    : -TFormat.Zero * scale;
                for (int end = k + TFormat.GroupLength; k < end; k += ICodePlanes.QuadLength)
                {
                    int quad = k / ICodePlanes.QuadLength % (UnitLength / ICodePlanes.QuadLength);
                    int codes = BitConverter.SingleToInt32Bits(TCodes.Bytes<LanesScalar, float>(unit + (k / UnitLength % (blockLength / UnitLength) * unitBytes), quad));
                    for (int i = 0; i < ICodePlanes.QuadLength; i++, codes >>= 8)
                    {
                        destination[k + i] = MathF.FusedMultiplyAdd(TFormat.Bits == 8 ? (sbyte)codes : (byte)codes, scale, offset);
                    }
                }
            }
        }
    }

    // d s
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Scale<L, V>(byte* d, byte* s)
        where L : struct, ILanes<V>
    {
        V scale = L.FromScaledHalf((ushort*)d);
        return TFormat.HasGroups ? L.Multiply(scale, L.FromSigned(s)) : scale;
    }

    // -m t
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Minimum<L, V>(byte* m, byte* t)
        where L : struct, ILanes<V>
    {
        V minimum = Negative<L, V>((ushort*)m);
        return TFormat.HasGroups ? L.Multiply(minimum, L.FromSigned(t)) : minimum;
    }

    // -m
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Negative<L, V>(ushort* m)
        where L : struct, ILanes<V> => L.Subtract(L.Broadcast(0), L.FromScaledHalf(m));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool PackHead(in BlockParts parts, byte* head, int output)
    {
        bool readable = ScaledHalf.TryScale(BitConverter.HalfToUInt16Bits(parts.Scale), out ((ushort*)head)[output]);
        if (TFormat.IsAffine)
        {
            readable &= ScaledHalf.TryScale(BitConverter.HalfToUInt16Bits(parts.Minimum), out ((ushort*)head)[Width + output]);
        }

        for (int g = 0; TFormat.HasGroups && g < groups; g++)
        {
            byte* at = head + scalesAt + (g * Width) + output;
            *at = (byte)parts.Scales[g];
            if (TFormat.IsAffine)
            {
                at[minimaAt - scalesAt] = parts.Minima[g];
            }
        }

        return readable;
    }
}
