using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Mamba.Managed.ILGPU.Tests.Emulation;

/// <summary>Thirty-two lanes that carry out a program together.</summary>
internal sealed partial class PtxWarp
{
    public const int Lanes = 32;

    private readonly PtxMachine machine;
    private readonly PtxInstruction[] instructions;
    private readonly ulong[][] registers;
    private readonly byte[][] local;
    private readonly int[] next = new int[Lanes];
    private readonly bool[] waits = new bool[Lanes];
    private readonly Dictionary<string, ulong> special;
    private readonly int warp;
    private readonly List<List<Action>>[] copies;

    public PtxWarp(PtxMachine machine, (int X, int Y) grid, (int X, int Y) group, int warp, int threads)
    {
        this.machine = machine;
        this.warp = warp;
        instructions = [.. machine.Program.Instructions];
        registers = [.. Enumerable.Range(0, Lanes).Select(_ => new ulong[machine.Program.RegisterCount])];
        local = [.. Enumerable.Range(0, Lanes).Select(_ => new byte[1024])];
        copies = [.. Enumerable.Range(0, Lanes).Select(_ => new List<List<Action>> { new() })];
        special = new()
        {
            ["%ctaid.x"] = (ulong)group.X,
            ["%ctaid.y"] = (ulong)group.Y,
            ["%ctaid.z"] = 0,
            ["%nctaid.x"] = (ulong)grid.X,
            ["%nctaid.y"] = (ulong)grid.Y,
            ["%ntid.x"] = (ulong)threads,
        };
    }

    public bool IsDone => next.All(at => at >= instructions.Length);

    /// <summary>Runs until every lane waits at a barrier or has ended.</summary>
    public void RunToBarrier()
    {
        Array.Clear(waits);
        while (true)
        {
            int at = int.MaxValue;
            for (int lane = 0; lane < Lanes; lane++)
            {
                at = waits[lane] || next[lane] >= instructions.Length ? at : Math.Min(at, next[lane]);
            }

            if (at == int.MaxValue)
            {
                return;
            }

            Step(at);
        }
    }

    private void Step(int at)
    {
        PtxInstruction instruction = instructions[at];
        uint active = 0;
        for (int lane = 0; lane < Lanes; lane++)
        {
            if (next[lane] == at && !waits[lane])
            {
                next[lane] = at + 1;
                bool takesPart = instruction.Guard < 0 || registers[lane][instruction.Guard] != 0 == instruction.GuardIs;
                active |= takesPart ? 1u << lane : 0;
            }
        }

        if (instruction.Parts[0] is "mma" or "ldmatrix")
        {
            if (active != uint.MaxValue)
            {
                throw new InvalidOperationException($"{instruction.Opcode} without all lanes");
            }

            Together(instruction);
            return;
        }

        for (int lane = 0; lane < Lanes; lane++)
        {
            if ((active >> lane & 1) != 0)
            {
                Execute(instruction, lane);
            }
        }
    }

    private void Execute(PtxInstruction i, int lane)
    {
        switch (i.Parts[0])
        {
            case "bra":
                next[lane] = machine.Program.Labels[i.Operands[0].Name];
                break;
            case "ret":
                next[lane] = int.MaxValue;
                break;
            case "bar":
                waits[lane] = true;
                break;
            case "ld":
                Load(i, lane);
                break;
            case "st":
                Store(i, lane);
                break;
            case "cp":
                Copy(i, lane);
                break;
            default:
                registers[lane][i.Operands[0].Slot] = PtxArithmetic.Result(i, index => Value(i.Operands[index], lane));
                break;
        }
    }

    private ulong Value(PtxOperand operand, int lane) =>
        operand.Slot >= 0 ? registers[lane][operand.Slot]
        : operand.Name.Length == 0 ? operand.Value
        : operand.Name == "%tid.x" ? (ulong)(warp * Lanes + lane)
        : special[operand.Name];

    private ulong Address(PtxOperand place, int lane, bool isShared)
    {
        ulong register = place.Slot >= 0 ? registers[lane][place.Slot] : 0;
        return (isShared ? (uint)register : register) + place.Value;
    }

    private Span<byte> Memory(string space, PtxOperand place, int lane, int count)
    {
        ulong address = Address(place, lane, space == "shared");
        return space switch
        {
            "param" => machine.Parameters.AsSpan((int)place.Value, count),
            "local" => local[lane].AsSpan((int)address, count),
            "shared" => machine.Shared.AsSpan((int)address, count),
            "global" => machine.Global(address, count),
            _ => throw new NotSupportedException(space),
        };
    }

    private static int Vector(PtxInstruction i) => i.Parts.Contains("v4") ? 4 : i.Parts.Contains("v2") ? 2 : 1;

    private static int Bytes(string type) => int.Parse(type[1..], CultureInfo.InvariantCulture) / 8;

    private void Load(PtxInstruction i, int lane)
    {
        int bytes = Bytes(i.Type);
        int count = Vector(i);
        Span<byte> memory = Memory(i.Parts[1], i.Operands[count], lane, bytes * count);
        for (int element = 0; element < count; element++)
        {
            Span<byte> value = memory.Slice(element * bytes, bytes);
            registers[lane][i.Operands[element].Slot] = bytes switch
            {
                2 => BinaryPrimitives.ReadUInt16LittleEndian(value),
                4 => BinaryPrimitives.ReadUInt32LittleEndian(value),
                8 => BinaryPrimitives.ReadUInt64LittleEndian(value),
                _ => value[0],
            };
        }
    }

    private void Store(PtxInstruction i, int lane)
    {
        int bytes = Bytes(i.Type);
        int count = Vector(i);
        Span<byte> memory = Memory(i.Parts[1], i.Operands[0], lane, bytes * count);
        for (int element = 0; element < count; element++)
        {
            ulong value = Value(i.Operands[1 + element], lane);
            MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(in value))[..bytes].CopyTo(memory[(element * bytes)..]);
        }
    }

    /// <summary>Asynchronous copies: groups of them, the last still open.</summary>
    private void Copy(PtxInstruction i, int lane)
    {
        List<List<Action>> groups = copies[lane];
        switch (i.Parts[2])
        {
            case "commit_group":
                groups.Add([]);
                return;
            case "wait_group":
                for (int group = 0; group < groups.Count - 1 - (int)i.Operands[0].Value; group++)
                {
                    groups[group].ForEach(copy => copy());
                    groups[group].Clear();
                }

                return;
            default:
                int shared = (int)Address(i.Operands[0], lane, isShared: true);
                ulong global = Address(i.Operands[1], lane, isShared: false);
                int bytes = i.Operands.Length > 3 ? (int)Value(i.Operands[3], lane) : (int)i.Operands[2].Value;
                void Now()
                {
                    Span<byte> target = machine.Shared.AsSpan(shared, 16);
                    target.Clear();
                    if (bytes > 0)
                    {
                        machine.Global(global, 16)[..bytes].CopyTo(target);
                    }
                }

                if (machine.CopiesAtOnce)
                {
                    Now();
                }
                else
                {
                    groups[^1].Add(Now);
                }

                return;
        }
    }
}
