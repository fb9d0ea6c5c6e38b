//! Classic BPF with labels instead of distances (Documentation/networking/
//! filter.rst).
//!
//! A conditional jump of the kernel reaches 255 instructions; here each is one
//! over an unconditional jump, which reaches any. A load beyond the end of the
//! frame ends a program with 0, so 0 must be the answer to what is cut.

/// The code of a jump that is always taken.
const JUMP: u16 = 0x05;
/// The code of a jump if equal.
const JUMP_IF_EQUAL: u16 = 0x15;
/// The code of a jump if greater or equal.
const JUMP_IF_AT_LEAST: u16 = 0x35;
/// The code of a jump if any bit is set.
const JUMP_IF_ANY_BIT: u16 = 0x45;
/// `SKF_AD_OFF`: what the kernel knows of a frame beside its bytes.
const ANCILLARY: u32 = 0xffff_f000;

/// How much is loaded.
#[derive(Debug, Clone, Copy)]
pub enum Width {
    /// 8 bits.
    Byte,
    /// 16 bits.
    Half,
    /// 32 bits.
    Word,
}

/// What the accumulator is compared with.
#[derive(Debug, Clone, Copy)]
pub enum If {
    /// It is this.
    Is(u32),
    /// It is something else.
    IsNot(u32),
    /// It is this or more.
    AtLeast(u32),
    /// It is less.
    Below(u32),
    /// One of these bits is set.
    AnyBit(u32),
}

/// A place in the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label(usize);

#[derive(Debug, Clone, Copy)]
enum Instruction {
    Plain { code: u16, number: u32 },
    Jump(Label),
    Unless { code: u16, number: u32 },
    OverNextIf { code: u16, number: u32 },
}

/// A program in the making.
#[derive(Debug, Default)]
pub struct Program {
    instructions: Vec<Instruction>,
    labels: Vec<Option<usize>>,
}

impl Program {
    /// A place that is not known yet.
    pub fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    /// The next instruction is the one that `label` means.
    pub fn bind(&mut self, label: Label) {
        let here = self.instructions.len();
        if let Some(place) = self.labels.get_mut(label.0) {
            *place = Some(here);
        }
    }

    fn plain(&mut self, code: u16, number: u32) {
        self.instructions.push(Instruction::Plain { code, number });
    }

    /// Loads from the frame, `offset` bytes from its beginning.
    pub fn load(&mut self, width: Width, offset: u32) {
        let code = match width {
            Width::Word => 0x20,
            Width::Half => 0x28,
            Width::Byte => 0x30,
        };
        self.plain(code, offset);
    }

    /// Loads from the frame, `offset` bytes behind the index register.
    pub fn load_at(&mut self, width: Width, offset: u32) {
        let code = match width {
            Width::Word => 0x40,
            Width::Half => 0x48,
            Width::Byte => 0x50,
        };
        self.plain(code, offset);
    }

    /// Loads what the kernel knows beside the frame, by its `SKF_AD_` number.
    pub fn load_ancillary(&mut self, number: u32) {
        self.plain(0x20, ANCILLARY + number);
    }

    /// Loads a number.
    pub fn set(&mut self, number: u32) {
        self.plain(0x00, number);
    }

    /// Keeps the accumulator in one of 16 places.
    pub fn store(&mut self, place: u32) {
        self.plain(0x02, place);
    }

    /// Loads what was kept.
    pub fn recall(&mut self, place: u32) {
        self.plain(0x60, place);
    }

    /// Loads what was kept into the index register.
    pub fn recall_index(&mut self, place: u32) {
        self.plain(0x61, place);
    }

    /// Loads the length of the IPv4 header at `offset` into the index register.
    pub fn load_header_length(&mut self, offset: u32) {
        self.plain(0xb1, offset);
    }

    /// Adds a number.
    pub fn add(&mut self, number: u32) {
        self.plain(0x04, number);
    }

    /// Adds the index register.
    pub fn add_index(&mut self) {
        self.plain(0x0c, 0);
    }

    /// Keeps the bits of a mask.
    pub fn and(&mut self, mask: u32) {
        self.plain(0x54, mask);
    }

    /// Multiplies by a power of two.
    pub fn shift_left(&mut self, bits: u32) {
        self.plain(0x64, bits);
    }

    /// Goes on at `label`.
    pub fn jump(&mut self, label: Label) {
        self.instructions.push(Instruction::Jump(label));
    }

    /// Goes on at `label` if it is so.
    pub fn jump_if(&mut self, condition: If, label: Label) {
        // The next instruction is the jump, so what must not jump skips it.
        let first = match condition {
            If::Is(number) => Instruction::Unless {
                code: JUMP_IF_EQUAL,
                number,
            },
            If::AtLeast(number) => Instruction::Unless {
                code: JUMP_IF_AT_LEAST,
                number,
            },
            If::AnyBit(number) => Instruction::Unless {
                code: JUMP_IF_ANY_BIT,
                number,
            },
            If::IsNot(number) => Instruction::OverNextIf {
                code: JUMP_IF_EQUAL,
                number,
            },
            If::Below(number) => Instruction::OverNextIf {
                code: JUMP_IF_AT_LEAST,
                number,
            },
        };
        self.instructions.push(first);
        self.jump(label);
    }

    /// Ends the program with an answer.
    pub fn answer(&mut self, number: u32) {
        self.plain(0x06, number);
    }

    /// Number of instructions, and each as `struct sock_filter`.
    pub fn assemble(&self) -> (u16, Vec<u8>) {
        let mut bytes = Vec::with_capacity(8 * self.instructions.len());
        for (here, instruction) in self.instructions.iter().enumerate() {
            let (code, if_true, if_false, number) = match *instruction {
                Instruction::Plain { code, number } => (code, 0, 0, number),
                Instruction::Jump(label) => (JUMP, 0, 0, self.distance(here, label)),
                Instruction::Unless { code, number } => (code, 0, 1, number),
                Instruction::OverNextIf { code, number } => (code, 1, 0, number),
            };
            bytes.extend(code.to_ne_bytes());
            bytes.extend([if_true, if_false]);
            bytes.extend(number.to_ne_bytes());
        }
        let length = u16::try_from(self.instructions.len()).unwrap_or(u16::MAX);
        (length, bytes)
    }

    /// How far it is from behind `here` to a label. Labels lie ahead; one that
    /// is not bound is beyond any program, which the kernel refuses.
    fn distance(&self, here: usize, label: Label) -> u32 {
        let place = self.labels.get(label.0).copied().flatten();
        let distance = place.and_then(|place| place.checked_sub(here + 1));
        let distance = distance.and_then(|distance| u32::try_from(distance).ok());
        distance.unwrap_or(u32::MAX)
    }
}
