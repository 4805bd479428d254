"""Harmless texts: what banks, shops, schools, couriers and offices send, and what people are told, made of frames and fillings.

All written for these tests; none is anybody's message. `texts(n)` gives n distinct ones, the same at each run.
"""

from __future__ import annotations

import random
import string

FRAMES = (
    "【{firm}】您的验证码是{code}，{small}分钟内有效，请勿告诉他人。",
    "【{firm}】验证码：{code}，用于{act}，如非本人操作请忽略本短信。",
    "【{firm}】您尾号{four}的卡于{date}{clock}支出{sum}元，余额{sum}元。",
    "【{firm}】您尾号{four}的信用卡本期账单{sum}元，最后还款日{date}，请按时还款。",
    "【{firm}】您的快递（单号{long}）已到{place}，取件码{code}，请凭码领取。",
    "【{firm}】订单{long}已发货，预计{date}送达，客服热线请见包装。",
    "【{firm}】{name}您好，您预约的{date}{clock}{dept}门诊已确认，请提前{small}0分钟到院。",
    "【{firm}】尊敬的{name}家长，{date}{clock}在{place}召开家长会，请准时参加。",
    "【{firm}】{name}老师，{date}的考试安排已发布，请登录系统查看。",
    "【{firm}】因设备检修，{place}将于{date}{clock}停水{small}小时，请提前做好准备。",
    "【{firm}】{place}明天多云转晴，气温{small}到2{small}度，请注意添衣。",
    "【{firm}】您乘坐的{flight}航班计划{clock}起飞，登机口{small}，请提前办理手续。",
    "【{firm}】您购买的{date}G{four}次列车{small}车{small}号，请持身份证进站。",
    "【{firm}】会员日全场{small}折，满{sum}减{four}，回复R退订",
    "【{firm}】新品上市，{name}邀您到{place}品鉴，拒收请回复R",
    "【{firm}】您的账户已成功充值{sum}元，当前余额{sum}元，感谢使用。",
    "【{firm}】您的发票已开具，金额{sum}元，请在公众号内下载电子发票。",
    "【{firm}】工资已到账{sum}元，请查收。如有疑问请联系人事部门。",
    "【{firm}】{name}同学，你借阅的图书将于{date}到期，请及时归还或续借。",
    "【{firm}】您的贷款申请已受理，合同编号{long}，请到{place}网点办理。",
    "【{firm}】{date}起系统升级，{clock}至{clock}暂停服务，敬请谅解。",
    "【{firm}】您的包裹因地址不详暂存{place}，请补充地址后重新派送。",
    "【{firm}】提醒：警惕以公安机关名义要求转账的电话，谨防受骗。",
    "【{firm}】请勿向陌生人透露银行卡密码，任何要求转账的都请先核实。",
    "【{firm}】您的彩铃业务将于{date}到期，如需续订请到营业厅办理。",
    "{firm}: your code is {code}. It expires in {small} minutes. Do not share it with anyone.",
    "{firm}: {code} is your verification code for {english}.",
    "Hi {first}, your order {long} has shipped and will arrive on {day}.",
    "Hi {first}, a reminder of your appointment on {day} at {clock}. Reply YES to confirm.",
    "{firm}: a payment of {sum} from your account ending {four} was made on {day}.",
    "{firm} alert: your bill of {sum} is due on {day}. Thank you for paying on time.",
    "Dear {first}, flight {flight} to Essex leaves at {clock} from gate {small}.",
    "Dear {first}, the library book {code} is due on {day}. Please renew it or return it.",
    "Rain is expected in {town} on {day}, with up to {small} cm by {clock}.",
    "School is closed on {day}. Classes resume at {clock} the next morning, {first}.",
    "{first}, dinner at {clock}? I can bring {small} bottles and some cheese.",
    "Running {small} minutes late, {first}. Start without me, the key is under the plant.",
    "Your parcel {long} is at the shop in {town}. Bring a document and the code {code}.",
    "Bonjour {first}, votre colis {long} arrive {day}. Le code est {code}, à bientôt!",
    "Hola {first}, su cita es el {day} a las {clock}. Código {code}. ¡Gracias!",
    "Guten Tag {first}, Ihr Termin ist am {day} um {clock} Uhr. Größere Änderungen bitte bis morgen.",
)
FILLINGS = {
    "firm": "示例银行 东方超市 小城快递 第一医院 实验中学 青山物业 长江航空 和平书店 云上科技 朝阳幼儿园 城市水务 北湖公园".split(),
    "act": "登录 注册 支付确认 修改密码 绑定手机 申请开户".split(),
    "place": "小区东门 一号楼大厅 三楼会议室 校门口快递柜 城南营业厅 人民广场 体育馆 河西校区".split(),
    "name": "王先生 李女士 张小明 陈静 刘洋 赵敏 孙悦 周杰".split(),
    "dept": "内科 儿科 眼科 口腔科 骨科 中医科".split(),
    "first": "Anna Ben Clara David Emma Frank Grace Henry Casey Violet".split(),
    "town": "Sussex Scunthorpe Cork Bergen Lyon Porto Casper Middlesex".split(),
    "english": "signing in, opening an account, changing your address, confirming a payment".split(", "),
    "day": "Monday Tuesday Wednesday Thursday Friday Saturday".split(),
}


def texts(count: int = 2_400) -> list[str]:
    """Return so many distinct texts."""
    chance = random.Random(20)
    found: dict[str, None] = {}
    while len(found) < count:
        filled = {name: chance.choice(words) for name, words in FILLINGS.items()}
        digits = "".join(chance.choices(string.digits, k=40))
        filled |= {
            "code": digits[:6],
            "small": str(chance.randint(2, 9)),
            "four": digits[6:10],
            "long": digits[10:22],
            "sum": f"{chance.randint(1, 9999)}.{digits[22:24]}",
            "date": f"{chance.randint(1, 12)}月{chance.randint(1, 28)}日",
            "clock": f"{chance.randint(7, 21)}:{chance.randint(0, 59):02}",
            "flight": f"CZ{digits[24:28]}",
        }
        found[chance.choice(FRAMES).format(**filled)] = None
    return list(found)
