using ILGPU.Runtime.Cuda;
using Mamba.Managed.ILGPU.Unrolling;

namespace Mamba.Managed.ILGPU.Kernels;

/// <summary>Instructions of NVIDIA's virtual machine that ILGPU has no method for, one small operation each.</summary>
/// <remarks>
/// Registers are declared by name and numbered from 0: what an instruction writes into a C# variable may pass through local memory, and a
/// name costs nothing. All hold 32 bits. Names, numbers and offsets are constants after unrolling; addresses are variables.
/// </remarks>
internal static class Ptx
{
    internal const string Zeros = "{zero0, zero0, zero0, zero0}";

    /// <summary>to += from, in float32.</summary>
    [Inlined]
    public static void Add(string to, int toIndex, string from, int fromIndex) =>
        CudaAsm.Emit($"add.f32 {to}{toIndex}, {to}{toIndex}, {from}{fromIndex};");

    /// <summary>to += value, in float32.</summary>
    [Inlined]
    public static void AddValue(string to, int index, float value) => CudaAsm.Emit($"add.f32 {to}{index}, {to}{index}, %0;", value);

    /// <summary>Ends a group of asynchronous copies.</summary>
    [Inlined]
    public static void CommitCopies() => CudaAsm.Emit("cp.async.commit_group;");

    /// <summary>Copies 16 bytes of global memory to shared memory asynchronously. Only the first <paramref name="bytes"/> are read; the others become zeros.</summary>
    [Inlined]
    public static void CopyToSharedAsync(int shared, int offset, long global, int bytes) =>
        CudaAsm.Emit($"cp.async.cg.shared.global [%0+{offset}], [%1], 16, %2;", shared, global, bytes);

    /// <summary>Copies 16 bytes of global memory to shared memory asynchronously if index &lt; count.</summary>
    [Inlined]
    public static void CopyAsync(int shared, int offset, long global, int count, int index) =>
        CudaAsm.Emit($"{{ .reg .pred inside; setp.gt.s32 inside, %2, {index}; @inside cp.async.cg.shared.global [%0+{offset}], [%1], 16; }}", shared, global, count);

    /// <summary>As <see cref="CopyAsync"/>, but reads only the first <paramref name="bytes"/> and copies zeros for the others.</summary>
    [Inlined]
    public static void CopyOrZeroAsync(int shared, int offset, long global, int count, int index, int bytes) =>
        CudaAsm.Emit($"{{ .reg .pred inside; setp.gt.s32 inside, %2, {index}; @inside cp.async.cg.shared.global [%0+{offset}], [%1], 16, %3; }}", shared, global, count, bytes);

    /// <summary>Declares the registers name0, name1 and so on.</summary>
    [Inlined]
    public static void Declare(string name, int count) => CudaAsm.Emit($".reg .b32 {name}<{count}>;");

    /// <summary>Sets a register to 1 if index &lt; end and the upper half of a register of 64 bits is another number than the tag.</summary>
    [Inlined]
    public static void CompareTag(string other, int otherIndex, string word, int wordIndex, int tag, int index, int end) =>
        CudaAsm.Emit($"{{ .reg .b32 lower, upper; .reg .pred inside, differs; mov.b64 {{lower, upper}}, {word}{wordIndex}; setp.lt.s32 inside, %1, %2; setp.ne.and.s32 differs, upper, %0, inside; @differs mov.b32 {other}{otherIndex}, 1; }}", tag, index, end);

    /// <summary>Declares registers of 64 bits: name0, name1 and so on.</summary>
    [Inlined]
    public static void DeclareWide(string name, int count) => CudaAsm.Emit($".reg .b64 {name}<{count}>;");

    /// <summary>Declares shared memory that begins at the first bank, and says where.</summary>
    [Inlined]
    public static int DeclareShared(string name, int bytes)
    {
        CudaAsm.Emit($".shared .align 128 .b8 {name}[{bytes}];");
        CudaAsm.Emit($"mov.u32 %0, {name};", out int address);
        return address;
    }

    /// <summary>The address of the shared memory that ILGPU allocated first.</summary>
    [Inlined]
    public static int FirstShared()
    {
        CudaAsm.Emit("mov.u32 %0, __shared_alloca0;", out int address);
        return address;
    }

    /// <summary>Reads 16 bytes of global memory into four registers.</summary>
    [Inlined]
    public static void LoadGlobal4(string to, int index, long address, int offset) =>
        CudaAsm.Emit($"ld.global.v4.b32 {Four(to, index)}, [%0+{offset}];", address);

    /// <summary>Reads 8 bytes of global memory that other groups write meanwhile into a register of 64 bits, if index &lt; end.</summary>
    [Inlined]
    public static void LoadRelaxed(string to, int toIndex, long address, int index, int end) =>
        CudaAsm.Emit($"{{ .reg .pred inside; setp.lt.s32 inside, %1, %2; @inside ld.relaxed.gpu.global.b64 {to}{toIndex}, [%0]; }}", address, index, end);

    /// <summary>Reads 8 bytes of shared memory into two registers.</summary>
    [Inlined]
    public static void LoadShared2(string to, int index, int address, int offset) =>
        CudaAsm.Emit($"ld.shared.v2.b32 {{{to}{index}, {to}{index + 1}}}, [%0+{offset}];", address);

    /// <summary>Reads 16 bytes of shared memory into four registers.</summary>
    [Inlined]
    public static void LoadShared4(string to, int index, int address, int offset) =>
        CudaAsm.Emit($"ld.shared.v4.b32 {Four(to, index)}, [%0+{offset}];", address);

    /// <summary>Reads four matrices of eight rows of 16 bytes of shared memory: lane 8 m + r gives the address of row r of matrix m; register m of lane 4 g + t gets bytes [4t, 4t + 4) of row g.</summary>
    [Inlined]
    public static void LoadSharedMatrices(string to, int index, int address, int offset) =>
        CudaAsm.Emit($"ldmatrix.sync.aligned.m8n8.x4.shared.b16 {Four(to, index)}, [%0+{offset}];", address);

    /// <summary>D[16, 8] = A[16, 16] B[16, 8] + C of bfloat16, two to a register, with float32 sums that are truncated, not rounded.</summary>
    /// <remarks>D and A are four registers from an index, B two. C is D or, where <paramref name="isFirst"/>, zero, for which the register zero0 stands.</remarks>
    [Inlined]
    public static void MultiplyBFloat16(string d, int dIndex, string a, int aIndex, string b, int bIndex, bool isFirst) =>
        CudaAsm.Emit($"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {Four(d, dIndex)}, {Four(a, aIndex)}, {{{b}{bIndex}, {b}{bIndex + 1}}}, {(isFirst ? Zeros : Four(d, dIndex))};");

    /// <summary>D[16, 8] = A[16, 8] B[8, 8] + C of TF32, one to a register; otherwise as <see cref="MultiplyBFloat16(string, int, string, int, string, int, bool)"/>.</summary>
    [Inlined]
    public static void MultiplyTf32(string d, int dIndex, string a, int aIndex, string b, int bIndex, bool isFirst) =>
        CudaAsm.Emit($"mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {Four(d, dIndex)}, {Four(a, aIndex)}, {{{b}{bIndex}, {b}{bIndex + 1}}}, {(isFirst ? Zeros : Four(d, dIndex))};");

    /// <summary>As the other <see cref="MultiplyBFloat16(string, int, string, int, string, int, bool)"/>, with A and B in variables.</summary>
    [Inlined]
    public static void MultiplyBFloat16(string d, int dIndex, uint a0, uint a1, uint a2, uint a3, uint b0, uint b1, bool isFirst) =>
        CudaAsm.Emit($"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {Four(d, dIndex)}, {{%0, %1, %2, %3}}, {{%4, %5}}, {(isFirst ? Zeros : Four(d, dIndex))};", a0, a1, a2, a3, b0, b1);

    /// <summary>As the other <see cref="MultiplyTf32(string, int, string, int, string, int, bool)"/>, with A and B in variables.</summary>
    [Inlined]
    public static void MultiplyTf32(string d, int dIndex, uint a0, uint a1, uint a2, uint a3, uint b0, uint b1, bool isFirst) =>
        CudaAsm.Emit($"mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {Four(d, dIndex)}, {{%0, %1, %2, %3}}, {{%4, %5}}, {(isFirst ? Zeros : Four(d, dIndex))};", a0, a1, a2, a3, b0, b1);

    /// <summary>Rounds two float32 to bfloat16, the first to the lower half of the result.</summary>
    [Inlined]
    public static void PackBFloat16(string to, int toIndex, string from, int first, int second) =>
        CudaAsm.Emit($"cvt.rn.bf16x2.f32 {to}{toIndex}, {from}{second}, {from}{first};");

    /// <summary>Puts the lower (or upper) halves of two registers into one, the first to its lower half.</summary>
    [Inlined]
    public static void PackHalves(string to, int toIndex, string from, int first, int second, bool upper) =>
        CudaAsm.Emit($"prmt.b32 {to}{toIndex}, {from}{first}, {from}{second}, {(upper ? "0x7632" : "0x5410")};");

    /// <summary>Asks for a line of global memory to be brought into the device's cache.</summary>
    [Inlined]
    public static void Prefetch(long address) => CudaAsm.Emit("prefetch.global.L2 [%0];", address);

    /// <summary>The float32 in a register.</summary>
    [Inlined]
    public static float Read(string from, int index)
    {
        CudaAsm.Emit($"mov.b32 %0, {from}{index};", out float value);
        return value;
    }

    /// <summary>The integer in a register.</summary>
    [Inlined]
    public static int ReadInteger(string from, int index)
    {
        CudaAsm.Emit($"mov.b32 %0, {from}{index};", out int value);
        return value;
    }

    /// <summary>The float32 in the lower half of a register of 64 bits.</summary>
    [Inlined]
    public static float ReadLower(string from, int index)
    {
        CudaAsm.Emit($"{{ .reg .b32 upper; mov.b64 {{%0, upper}}, {from}{index}; }}", out float value);
        return value;
    }

    /// <summary>Sets a register of 64 bits to zero.</summary>
    [Inlined]
    public static void SetWideZero(string register, int index) => CudaAsm.Emit($"mov.b64 {register}{index}, 0;");

    /// <summary>Sets a register to zero.</summary>
    [Inlined]
    public static void SetZero(string register, int index) => CudaAsm.Emit($"mov.b32 {register}{index}, 0;");

    /// <summary>Parts two float32 into bfloat16 pairs: high the nearest ones, low what they leave. Uses the registers t0 and t1.</summary>
    [Inlined]
    public static void SplitBFloat16(string high, string low, int toIndex, string from, int first, int second) =>
        CudaAsm.Emit($"cvt.rn.bf16x2.f32 {high}{toIndex}, {from}{second}, {from}{first}; shl.b32 t0, {high}{toIndex}, 16; and.b32 t1, {high}{toIndex}, 0xFFFF0000; "
            + $"sub.f32 t0, {from}{first}, t0; sub.f32 t1, {from}{second}, t1; cvt.rn.bf16x2.f32 {low}{toIndex}, t1, t0;");

    /// <summary>Parts a float32 into its upper 19 bits, which TF32 has, and the rest.</summary>
    [Inlined]
    public static void SplitTf32(string high, string low, int toIndex, string from, int fromIndex) =>
        CudaAsm.Emit($"and.b32 {high}{toIndex}, {from}{fromIndex}, 0xFFFFE000; sub.f32 {low}{toIndex}, {from}{fromIndex}, {high}{toIndex};");

    /// <summary>Writes four float32 to 8 bytes of global memory, rounded to bfloat16.</summary>
    [Inlined]
    public static void StoreBFloat16(long address, float first, float second, float third, float fourth) =>
        CudaAsm.Emit(
            "{ .reg .b32 lower, upper; cvt.rn.bf16x2.f32 lower, %2, %1; cvt.rn.bf16x2.f32 upper, %4, %3; st.global.v2.b32 [%0], {lower, upper}; }",
            address, first, second, third, fourth);

    /// <summary>Writes four registers to 16 bytes of global memory.</summary>
    [Inlined]
    public static void StoreGlobal4(string from, int first, int second, int third, int fourth, long address, int offset) =>
        CudaAsm.Emit($"st.global.v4.b32 [%0+{offset}], {{{from}{first}, {from}{second}, {from}{third}, {from}{fourth}}};", address);

    /// <summary>Writes 8 bytes of global memory at once, for other groups that read them meanwhile.</summary>
    [Inlined]
    public static void StoreRelaxed(long address, long value) => CudaAsm.Emit("st.relaxed.gpu.global.b64 [%0], %1;", address, value);

    /// <summary>Waits until at most so many groups of this thread's copies are unfinished.</summary>
    [Inlined]
    public static void WaitForCopies(int unfinished) => CudaAsm.Emit($"cp.async.wait_group {unfinished};");

    /// <summary>The list of four registers from an index.</summary>
    [Inlined]
    public static string Four(string name, int index) => $"{{{name}{index}, {name}{index + 1}, {name}{index + 2}, {name}{index + 3}}}";
}
