using System.Runtime.InteropServices;

namespace Mamba.Managed.Tests.Fuzz;

/// <summary>Writes one byte beyond a piece of memory: shows that a checked run would see it.</summary>
internal sealed unsafe class Overrun : FuzzPart
{
    /// <inheritdoc/>
    public override void Step(Random random)
    {
        const int Length = 192;
        byte* memory = (byte*)NativeMemory.AlignedAlloc(Length, 64);
        memory[Length] = (byte)~memory[Length];
        NativeMemory.AlignedFree(memory);
    }
}
