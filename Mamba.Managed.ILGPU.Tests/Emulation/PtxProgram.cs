using System.Globalization;
using System.Text.RegularExpressions;

namespace Mamba.Managed.ILGPU.Tests.Emulation;

/// <summary>An instruction: what it does, its operands, and the predicate under which it does it.</summary>
/// <param name="Opcode">With all its modifiers, as written.</param>
/// <param name="Operands">In the order written; lists in braces are flat.</param>
/// <param name="Guard">Slot of a predicate register, or -1.</param>
/// <param name="GuardIs">The value of the predicate for which the instruction is carried out.</param>
internal sealed record PtxInstruction(string Opcode, PtxOperand[] Operands, int Guard, bool GuardIs)
{
    public string[] Parts { get; } = Opcode.Split('.');

    /// <summary>What follows the last dot: in most instructions the type.</summary>
    public string Type => Parts[^1];
}

/// <summary>A register, a number, a name, or a place in memory.</summary>
/// <param name="Slot">The register (of a place: that holds the address), or -1.</param>
/// <param name="Value">The number; of a place what is added to the register.</param>
/// <param name="Name">A special register, label or parameter, or empty.</param>
internal sealed record PtxOperand(int Slot, ulong Value, string Name = "");

/// <summary>The text of one kernel, taken apart.</summary>
internal sealed partial class PtxProgram
{
    private readonly Dictionary<string, int> registers = [];
    private readonly Dictionary<string, ulong> variables = [];

    public List<PtxInstruction> Instructions { get; } = [];

    public Dictionary<string, int> Labels { get; } = [];

    public int RegisterCount => registers.Count;

    public int SharedBytes { get; private set; }

    public PtxProgram(string text)
    {
        string body = text[text.IndexOf("\n{", StringComparison.Ordinal)..];
        body = Regex.Replace(body, "//[^\n]*", "");
        foreach (string statement in Statements(body))
        {
            Add(statement);
        }
    }

    /// <summary>Parts at semicolons and labels. Braces that begin or end a scope are left out: no name is declared twice with two meanings.</summary>
    private static IEnumerable<string> Statements(string body) => body
        .Split(';')
        .SelectMany(part => part.Split(':'))
        .Select((part, _) => part.Trim())
        .Select(part => Regex.Replace(part, @"^[{}\s]+(?=[.@%a-zA-Z]|$)", "").Trim())
        .Where(part => part.Length > 0);

    private void Add(string statement)
    {
        if (statement.StartsWith('.'))
        {
            Declare(statement);
            return;
        }

        if (LabelName().IsMatch(statement))
        {
            Labels[statement] = Instructions.Count;
            return;
        }

        int guard = -1;
        bool guardIs = true;
        if (statement[0] == '@')
        {
            string[] parts = statement.Split([' ', '\t'], 2);
            guardIs = parts[0][1] != '!';
            guard = Register(parts[0].TrimStart('@', '!'));
            statement = parts[1].Trim();
        }

        string[] words = statement.Split([' ', '\t', '\n'], 2);
        Instructions.Add(new(words[0], words.Length > 1 ? [.. Operands(words[1])] : [], guard, guardIs));
    }

    private void Declare(string statement)
    {
        Match array = Regex.Match(statement, @"^\.(shared|local)\s.*\.b8\s+(\w+)\[(\d+)\]");
        if (array.Success)
        {
            bool isShared = array.Groups[1].Value == "shared";
            variables[array.Groups[2].Value] = isShared ? (ulong)SharedBytes : 0;
            SharedBytes += isShared ? (int.Parse(array.Groups[3].Value, CultureInfo.InvariantCulture) + 127) / 128 * 128 : 0;
        }
    }

    private IEnumerable<PtxOperand> Operands(string text) => text.Replace("{", "").Replace("}", "").Split(',').Select(part => Operand(part.Trim()));

    private PtxOperand Operand(string text)
    {
        if (text[0] == '[')
        {
            string[] sum = text.Trim('[', ']').Split('+');
            PtxOperand place = Operand(sum[0].Trim());
            return place with { Value = place.Value + (sum.Length > 1 ? Number(sum[1].Trim()) : 0) };
        }

        if (char.IsDigit(text[0]) || text[0] == '-')
        {
            return new(-1, Number(text));
        }

        if (variables.TryGetValue(text, out ulong address))
        {
            return new(-1, address);
        }

        bool isName = text.Contains('.') || text.StartsWith("L_", StringComparison.Ordinal) || text[0] == '_';
        return isName ? new(-1, 0, text) : new(Register(text), 0);
    }

    private static ulong Number(string text) =>
        text.StartsWith("0f", StringComparison.Ordinal) || text.StartsWith("0x", StringComparison.Ordinal) || text.StartsWith("0F", StringComparison.Ordinal)
            ? ulong.Parse(text[2..], NumberStyles.HexNumber, CultureInfo.InvariantCulture)
            : (ulong)long.Parse(text, CultureInfo.InvariantCulture);

    private int Register(string name)
    {
        if (!registers.TryGetValue(name, out int slot))
        {
            registers[name] = slot = registers.Count;
        }

        return slot;
    }

    [GeneratedRegex(@"^L_\w+$")]
    private static partial Regex LabelName();
}
