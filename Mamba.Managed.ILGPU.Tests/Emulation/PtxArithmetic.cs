namespace Mamba.Managed.ILGPU.Tests.Emulation;

/// <summary>Instructions that compute a number from numbers. Registers are 64 bits; what is narrower lies in the lower ones.</summary>
internal static class PtxArithmetic
{
    /// <summary>What an instruction writes into its first operand.</summary>
    /// <param name="i">The instruction.</param>
    /// <param name="value">The value of an operand.</param>
    public static ulong Result(PtxInstruction i, Func<int, ulong> value) => i.Parts[0] switch
    {
        "mov" or "cvta" => Wrap(i.Type, value(1)),
        "cvt" => Convert(i, value),
        "setp" => Compare(i.Parts[1], i.Type, value(1), value(2)) ? 1ul : 0ul,
        "selp" => value(3) != 0 ? value(1) : value(2),
        "not" => i.Type == "pred" ? value(1) ^ 1 : Wrap(i.Type, ~value(1)),
        "prmt" => Permute((uint)value(1), (uint)value(2), (uint)value(3)),
        "fma" or "mad" when i.Type == "f32" => Bits(MathF.FusedMultiplyAdd(Single(value(1)), Single(value(2)), Single(value(3)))),
        "mad" when i.Parts[1] == "lo" => Wrap(i.Type, value(1) * value(2) + value(3)),
        "mul" when i.Parts[1] == "wide" => i.Type[0] == 's' ? (ulong)((long)(int)value(1) * (int)value(2)) : (ulong)(uint)value(1) * (uint)value(2),
        "mul" when i.Type != "f32" => Wrap(i.Type, value(1) * value(2)),
        _ => i.Type == "f32" ? Float(i, Single(value(1)), Single(value(2))) : Wrap(i.Type, Integer(i, value(1), value(2))),
    };

    private static float Single(ulong bits) => BitConverter.UInt32BitsToSingle((uint)bits);

    private static uint Bits(float value) => BitConverter.SingleToUInt32Bits(value);

    private static bool Is32(string type) => type is "b32" or "s32" or "u32" or "f32";

    private static ulong Wrap(string type, ulong value) => Is32(type) ? (uint)value : value;

    private static long Signed(string type, ulong value) => Is32(type) ? (int)value : (long)value;

    private static ulong Integer(PtxInstruction i, ulong a, ulong b)
    {
        bool isSigned = i.Type[0] == 's';
        (long x, long y) = (Signed(i.Type, a), Signed(i.Type, b));
        return i.Parts[0] switch
        {
            "add" => a + b,
            "sub" => a - b,
            "and" => a & b,
            "or" => a | b,
            "xor" => a ^ b,
            "shl" => a << (int)b,
            "shr" => isSigned ? (ulong)(x >> (int)b) : Wrap(i.Type, a) >> (int)b,
            "div" => isSigned ? (ulong)(x / y) : Wrap(i.Type, a) / Wrap(i.Type, b),
            "rem" => isSigned ? (ulong)(x % y) : Wrap(i.Type, a) % Wrap(i.Type, b),
            "min" => isSigned ? (ulong)Math.Min(x, y) : Math.Min(Wrap(i.Type, a), Wrap(i.Type, b)),
            "max" => isSigned ? (ulong)Math.Max(x, y) : Math.Max(Wrap(i.Type, a), Wrap(i.Type, b)),
            _ => throw new NotSupportedException(i.Opcode),
        };
    }

    private static ulong Float(PtxInstruction i, float a, float b) => i.Parts[0] switch
    {
        "add" => Bits(a + b),
        "sub" => Bits(a - b),
        "mul" => Bits(a * b),
        _ => throw new NotSupportedException(i.Opcode),
    };

    private static bool Compare(string relation, string type, ulong a, ulong b)
    {
        int order = type == "f32" ? Single(a).CompareTo(Single(b))
            : type[0] == 's' ? Signed(type, a).CompareTo(Signed(type, b))
            : Wrap(type, a).CompareTo(Wrap(type, b));
        return relation switch
        {
            "eq" => order == 0,
            "ne" => order != 0,
            "lt" or "lo" => order < 0,
            "le" or "ls" => order <= 0,
            "gt" or "hi" => order > 0,
            "ge" or "hs" => order >= 0,
            _ => throw new NotSupportedException(relation),
        };
    }

    private static ulong Convert(PtxInstruction i, Func<int, ulong> value) => i.Opcode switch
    {
        "cvt.rn.bf16x2.f32" => Nearest(value(1)) << 16 | Nearest(value(2)),
        "cvt.s64.s32" => (ulong)(int)value(1),
        "cvt.u64.u32" => (uint)value(1),
        "cvt.u32.u64" or "cvt.s32.s64" or "cvt.u32.u16" or "cvt.u16.u32" => (uint)value(1),
        _ => throw new NotSupportedException(i.Opcode),
    };

    /// <summary>The nearest bfloat16, ties to even.</summary>
    private static ulong Nearest(ulong bits) => float.IsNaN(Single(bits)) ? 0x7FFFu : ((uint)bits + 0x7FFFu + ((uint)bits >> 16 & 1)) >> 16;

    private static ulong Permute(uint a, uint b, uint selector)
    {
        ulong bytes = (ulong)b << 32 | a;
        uint result = 0;
        for (int place = 0; place < 4; place++)
        {
            result |= (uint)(bytes >> (int)(8 * (selector >> 4 * place & 7)) & 0xFF) << 8 * place;
        }

        return result;
    }
}
