using System.Runtime.CompilerServices;
using Mamba.Managed.Kernels.Simd;
using Mamba.Managed.Tensors;
using Mamba.Managed.Tensors.Blocks;

namespace Mamba.Managed.Kernels;

/// <summary>Panels of quantised blocks: the numbers of the format, with the 16 outputs side by side.</summary>
/// <remarks>
/// <code>
/// head:  | d x 16 | m x 16 where there is a minimum | s x 16 for each group | t x 16 for each group |
/// unit:  4 bits: row r holds input 2r in the low half of its 16 bytes and input 2r + 1 in the high half
///        2 bits: row r holds inputs 4r .. 4r + 3, the first in the lowest bits
///        1 bit:  one row, input i in bit i
///        8 bits: a row for each input
/// </code>
/// Codes of 5 and 6 bits have a plane of 4 and then one of 1 or 2, codes of 3 bits a plane of 2 and then one of 1. Except for s and t, which
/// take whole bytes, a panel takes the bytes of the 16 rows that it holds.
/// </remarks>
internal readonly unsafe struct BlockPanel<TFormat> : IPanelFormat
    where TFormat : struct, IBlockFormat
{
    private const int Width = PackedMatrix.PanelWidth;

    public static int BlockLength => TFormat.Type.BlockLength();

    public static int GroupLength => TFormat.Scheme.GroupLength;

    public static int HeadBytes => (GroupsAt + (TFormat.Scheme.HasGroups ? Groups * Width : 0)) + (HasMinima ? Groups * Width : 0);

    public static int UnitBytes => IPanelFormat.UnitLength * Width * TFormat.Scheme.Bits / 8;

    public static int LaneBytes => 1;

    private static int Groups => BlockLength / GroupLength;

    private static int GroupsAt => Width * (TFormat.Scheme.IsAffine ? 2 : 1) * sizeof(ushort);

    private static bool HasMinima => TFormat.Scheme.HasGroups && TFormat.Scheme.IsAffine;

    // Bytes of a unit's first plane, where a second follows.
    private static int HighPlane => TFormat.Scheme.Bits == 3 ? 2 * Width : 4 * Width;

    public static bool Pack(ReadOnlySpan<byte> row, int inputs, byte* panel, int output)
    {
        int size = TFormat.Type.BlockSize(), length = BlockLength;
        BlockParts parts = new() { Codes = stackalloc byte[length], Scales = stackalloc sbyte[Groups], Minima = stackalloc byte[Groups] };
        bool finite = true;
        for (int i = 0; i < inputs / length; i++)
        {
            BlockFormats.Clear(ref parts);
            TFormat.Unpack(row.Slice(i * size, size), ref parts);
            finite &= Half.IsFinite(parts.Scale) && Half.IsFinite(parts.Minimum);
            PackHead(parts, panel, output);
            panel += HeadBytes;
            for (int k = 0; k < length; k += IPanelFormat.UnitLength, panel += UnitBytes)
            {
                PackUnit(parts.Codes.Slice(k, IPanelFormat.UnitLength), panel + output);
            }
        }

        return finite;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Scale<L, V>(byte* block, int group, int output)
        where L : struct, ILanes<V>
    {
        V scale = L.FromHalf((ushort*)block + output);
        return TFormat.Scheme.HasGroups ? L.Multiply(scale, L.FromSigned(block + GroupsAt + (group * Width) + output)) : scale;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Offset<L, V>(byte* block, int group, int output, V scale)
        where L : struct, ILanes<V>
    {
        if (!TFormat.Scheme.IsAffine)
        {
            return L.Multiply(scale, L.Broadcast(-TFormat.Scheme.Zero));
        }

        V minimum = L.Subtract(L.Broadcast(0), L.FromHalf((ushort*)block + Width + output));
        return HasMinima ? L.Multiply(minimum, L.FromSigned(block + GroupsAt + ((Groups + group) * Width) + output)) : minimum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Weight<L, V>(byte* unit, int input, V scale, V offset)
        where L : struct, ILanes<V>
    {
        byte* four = unit + (input / 2 * Width), two = unit + (input / 4 * Width);
        int fourShift = input % 2 * 4, twoShift = input % 4 * 2;
        V code = TFormat.Scheme.Bits switch
        {
            2 => L.FromBits(two, twoShift, 3),
            3 => L.FromBits(two, twoShift, 3, unit + HighPlane, input, 1, 2),
            4 => L.FromBits(four, fourShift, 15),
            5 => L.FromBits(four, fourShift, 15, unit + HighPlane, input, 1, 4),
            6 => L.FromBits(four, fourShift, 15, two + HighPlane, twoShift, 3, 4),
            _ => L.FromSigned(unit + (input * Width)),
        };
        return TFormat.Scheme.Bits == 8 ? L.Multiply(code, scale) : L.MultiplyAdd(code, scale, offset);
    }

    private static void PackHead(in BlockParts parts, byte* head, int output)
    {
        ((Half*)head)[output] = parts.Scale;
        if (TFormat.Scheme.IsAffine)
        {
            ((Half*)head)[Width + output] = parts.Minimum;
        }

        for (int g = 0; TFormat.Scheme.HasGroups && g < Groups; g++)
        {
            byte* at = head + GroupsAt + (g * Width) + output;
            *at = (byte)parts.Scales[g];
            if (TFormat.Scheme.IsAffine)
            {
                at[Groups * Width] = parts.Minima[g];
            }
        }
    }

    private static void PackUnit(ReadOnlySpan<byte> codes, byte* unit)
    {
        for (int i = 0; i < codes.Length; i++)
        {
            byte* four = unit + (i / 2 * Width), two = unit + (i / 4 * Width);
            int code = codes[i], fourShift = i % 2 * 4, twoShift = i % 4 * 2;
            switch (TFormat.Scheme.Bits)
            {
                case 2:
                    *two |= (byte)(code << twoShift);
                    break;
                case 3:
                    *two |= (byte)((code & 3) << twoShift);
                    unit[HighPlane] |= (byte)(code >> 2 << i);
                    break;
                case 4:
                    *four |= (byte)(code << fourShift);
                    break;
                case 5:
                    *four |= (byte)((code & 15) << fourShift);
                    unit[HighPlane] |= (byte)(code >> 4 << i);
                    break;
                case 6:
                    *four |= (byte)((code & 15) << fourShift);
                    two[HighPlane] |= (byte)(code >> 4 << twoShift);
                    break;
                default:
                    unit[i * Width] = (byte)code;
                    break;
            }
        }
    }
}
